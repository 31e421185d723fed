variable "repair_principals" {
  description = "ARNs of the roles and users that may open and repair rejected records, patterns too. Empty: everybody whom the account's policies let assume the role, which only dev may say."
  type        = list(string)
  default     = []
  validation {
    condition     = length(var.repair_principals) > 0 || var.environment == "dev"
    error_message = "Name who may repair: repair_principals = [\"arn:aws:iam::<account>:role/…\"]."
  }
}

variable "key_principals" {
  description = "ARNs of the roles and users that may read and rotate the pseudonym key and order erasures, patterns too. Empty as above."
  type        = list(string)
  default     = []
  validation {
    condition     = length(var.key_principals) > 0 || var.environment == "dev"
    error_message = "Name who keeps the key: key_principals = [\"arn:aws:iam::<account>:role/…\"]."
  }
}

variable "analyst_principals" {
  description = "ARNs of the roles and users that may query curated tables as analysts, patterns too. Empty as above."
  type        = list(string)
  default     = []
  validation {
    condition     = length(var.analyst_principals) > 0 || var.environment == "dev"
    error_message = "Name who the analysts are: analyst_principals = [\"arn:aws:iam::<account>:role/…\"]."
  }
}

variable "analyst_query_bytes" {
  description = "Bytes that one query of an analyst may scan; Athena cancels it beyond them."
  type        = number
  default     = 10737418240
  validation {
    condition     = var.analyst_query_bytes >= 10000000
    error_message = "Athena takes no limit below 10 megabytes: analyst_query_bytes = 10000000 or more."
  }
}

variable "lake_formation" {
  description = "Whether Lake Formation governs the database, so that analysts need grants besides their role's policy."
  type        = bool
  default     = false
}

variable "people_sessions" {
  description = "What a session of a role of people must have: mfa, which sessions of a single sign-on never have by themselves, and source_identity, a name that CloudTrail keeps."
  type        = object({ mfa = optional(bool, false), source_identity = optional(bool, false) })
  default     = {}
}

variable "roles" {
  description = "Path and permissions boundary of all roles of this environment, pipelines included. The roles of a delivery by GitHub Actions demand both; terraform/bootstrap says which."
  type        = object({ path = optional(string, "/"), permissions_boundary = optional(string) })
  default     = {}
}
