variable "name" {
  description = "Name of the role."
  type        = string
}

variable "service" {
  description = "Service that assumes the role, for example lambda.amazonaws.com."
  type        = string
}

variable "account_id" {
  description = "Account in which the service may use the role."
  type        = string
}

variable "statements" {
  description = "Statement id => Action, Resource and, where needed, Condition. All of them allow."
  type        = any
}
