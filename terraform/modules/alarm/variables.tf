variable "name" {
  description = "Short name; its section of the runbook is called like the alarm."
  type        = string
}

variable "description" {
  description = "One sentence that says what has happened when it fires."
  type        = string
}

variable "metric" {
  description = "The metric with all of its dimensions, and which statistic of a period counts."
  type        = object({ namespace = string, name = string, dimensions = map(string), statistic = string })
}

variable "evaluation" {
  description = "When it fires: all of the last periods compare so with the threshold; `missing` is what a period without data is."
  type = object({
    comparison     = optional(string, "GreaterThanThreshold")
    threshold      = number
    period_seconds = optional(number, 300)
    periods        = optional(number, 1)
    missing        = optional(string, "notBreaching")
  })
}

variable "platform" {
  description = "What the platform gives."
  type        = object({ naming = string, runbook = string, topic_arn = string })
}

variable "also_tell" {
  description = "ARNs of further topics that the alarm tells."
  type        = list(string)
  default     = []
}
