variable "name" {
  description = "Name of the role."
  type        = string
}

variable "path" {
  description = "Path of the role."
  type        = string
}

variable "description" {
  description = "What workflows do with it."
  type        = string
}

variable "provider_arn" {
  description = "GitHub's OpenID Connect provider in this account."
  type        = string
}

variable "github" {
  description = "The repository, with the numbers that GitHub never gives twice."
  type        = object({ owner = string, name = string, owner_id = string, repository_id = string })
}

variable "jobs" {
  description = "Which of its jobs, as the last part of a token's subject: pull_request, ref:refs/heads/<branch>, environment:<name>."
  type        = list(string)
  validation {
    condition     = alltrue([for job in var.jobs : !strcontains(job, "*") && !strcontains(job, "?")])
    error_message = "A subject is compared as it stands: no wildcards."
  }
}

variable "policies" {
  description = "Short name => ARN of a policy of the role."
  type        = map(string)
}
