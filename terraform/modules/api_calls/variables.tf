variable "name" {
  description = "Short name of the rule and of its alarm, whose section of the runbook the mail links to."
  type        = string
}

variable "description" {
  description = "What such a call means, in one sentence, with which the mail begins."
  type        = string
}

variable "calls" {
  description = "Which calls: the sources of EventBridge (such as aws.kms), and what CloudTrail's record of a call matches."
  type        = object({ sources = list(string), detail = any })
}

variable "reads" {
  description = "Whether calls that only read are meant too."
  type        = bool
  default     = false
}

variable "platform" {
  description = "What the platform gives."
  type        = object({ naming = string, runbook = string, topic_arn = string, dead_letters_arn = string })
}
