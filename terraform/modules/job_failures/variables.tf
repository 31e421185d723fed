variable "name" {
  description = "Short name of the rule; also the heading of its section in RUNBOOK.md."
  type        = string
}

variable "job" {
  description = "The Glue job."
  type        = object({ name = string })
}

variable "platform" {
  description = "What the platform gives."
  type        = object({ naming = string, topic_arn = string, dead_letters_arn = string })
}
