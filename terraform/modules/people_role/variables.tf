variable "name" {
  description = "Name of the role."
  type        = string
}

variable "description" {
  description = "What people do with it."
  type        = string
}

variable "account_id" {
  description = "Account whose people may assume the role."
  type        = string
}

variable "principals" {
  description = "ARNs of the roles and users that may assume it, patterns too; none: whoever the account's policies let."
  type        = list(string)
}

variable "session" {
  description = "What a session must have: a second factor, a name that CloudTrail keeps (source identity)."
  type        = object({ mfa = bool, source_identity = bool })
}

variable "statements" {
  description = "Statement id => Action, Resource and, where needed, Condition. It allows unless its Effect says Deny."
  type        = any
}

variable "roles" {
  description = "Path and permissions boundary of the role, which who deploys may demand."
  type        = object({ path = optional(string, "/"), permissions_boundary = optional(string) })
  default     = {}
}

variable "further_policies" {
  description = "Names of the policies that other roots put onto the role. Any other policy is taken away."
  type        = list(string)
  default     = []
}
