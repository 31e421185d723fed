variable "name" {
  description = "Short name of the rule and of its alarm, whose section of the runbook the mail links to."
  type        = string
}

variable "job" {
  description = "The Glue job."
  type        = object({ name = string })
}

variable "platform" {
  description = "What the platform gives."
  type        = object({ naming = string, runbook = string, topic_arn = string, dead_letters_arn = string })
}
