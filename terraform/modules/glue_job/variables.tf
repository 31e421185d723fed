variable "name" {
  description = "Short name, for example transform."
  type        = string
}

variable "script" {
  description = "Name of the script below glue_jobs/<pipeline>/, for example transform.py."
  type        = string
}

variable "platform" {
  description = "What the platform gives."
  type = object({
    project           = string
    environment       = string
    pipeline          = string
    naming            = string
    region            = string
    account_id        = string
    roles             = object({ path = string, permissions_boundary = string })
    bucket            = string
    bucket_arn        = string
    key_arn           = string
    database          = string
    ledger            = string
    pseudonym_key_arn = string
    privacy_key_arn   = string
    key_readers       = list(string)
    code              = string
    code_bucket       = string
  })
}

variable "reads" {
  description = "Name => dataset that the job reads."
  type        = map(object({ name = string, prefix = string, uri = string }))
}

variable "writes" {
  description = "Name => dataset that the job writes, and reads to merge with."
  type        = map(object({ name = string, prefix = string, uri = string, encrypted = optional(bool, false) }))
}

variable "timeout_minutes" {
  description = "Minutes after which a run is stopped."
  type        = number
}

variable "repairs" {
  description = "Whether a second job does the repairs: replays, backfills and the like."
  type        = bool
  default     = true
}

variable "statements" {
  description = "Statement id => Action, Resource and, where needed, Condition, of what this job may do and others may not."
  type        = any
  default     = {}
}
