# scripts/delivery_roles.py gives all of these.

variable "project" {
  description = "First part of all names."
  type        = string
}

variable "account_id" {
  description = "The account that all of this is for."
  type        = string
}

variable "github" {
  description = "The repository that delivers, with the numbers that GitHub never gives twice."
  type        = object({ owner = string, name = string, owner_id = string, repository_id = string })
}

variable "existing_provider" {
  description = "Whether the account has GitHub's OpenID Connect provider already, made by somebody else."
  type        = bool
  default     = false
}

variable "environments" {
  description = "Name => the environments that belong into this account."
  type = map(object({
    region        = string
    buckets       = map(string)
    allow_destroy = bool
  }))
}

variable "state" {
  description = "Where Terraform keeps its states."
  type        = object({ bucket = string, dynamodb_table = string, region = string })
}
