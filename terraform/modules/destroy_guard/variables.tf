variable "allow_destroy" {
  description = "The first switch; what counts is the value that was applied last."
  type        = bool
}

variable "environment" {
  description = "dev or prod: the value that CONFIRM must have."
  type        = string
}
