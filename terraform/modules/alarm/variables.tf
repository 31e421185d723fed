variable "name" {
  description = "Short name; also the heading of its section in RUNBOOK.md."
  type        = string
}

variable "meaning" {
  description = "One sentence that says what has happened when it fires."
  type        = string
}

variable "metric" {
  description = "Metric, the value above which five minutes of it are wrong, and what no data means."
  type = object({
    namespace  = string
    name       = string
    dimensions = map(string)
    statistic  = string
    above      = number
    missing    = string
  })
}

variable "lake" {
  description = "What the platform gives."
  type        = object({ naming = string, topic_arn = string })
}
