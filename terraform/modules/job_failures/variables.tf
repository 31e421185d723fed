variable "name" {
  description = "Short name of the rule and of its alarm, whose section of the runbook the mail links to."
  type        = string
}

variable "job" {
  description = "The Glue job, and the one that repairs what it writes."
  type        = object({ name = string, repairs = optional(object({ name = string })) })
}

variable "platform" {
  description = "What the platform gives."
  type        = object({ naming = string, runbook = string, topic_arn = string, dead_letters_arn = string })
}
