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

variable "roles" {
  description = "Path and permissions boundary of the role, which who deploys may demand."
  type        = object({ path = optional(string, "/"), permissions_boundary = optional(string) })
  default     = {}
}
