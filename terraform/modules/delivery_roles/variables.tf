variable "project" {
  description = "First part of all names."
  type        = string
}

variable "environment" {
  description = "The environment that is delivered, and what of it is known before it is there: its region, the names of its buckets (of which `code` holds code alone), and whether a role may destroy it."
  type = object({
    name          = string
    region        = string
    buckets       = map(string)
    allow_destroy = bool
  })
}

variable "account_id" {
  description = "Account of the environment."
  type        = string
}

variable "state" {
  description = "Where Terraform keeps its states."
  type        = object({ bucket = string, dynamodb_table = string, region = string })
}

variable "github" {
  description = "The repository that delivers."
  type        = object({ owner = string, name = string, owner_id = string, repository_id = string })
}

variable "provider_arn" {
  description = "GitHub's OpenID Connect provider in this account."
  type        = string
}
