variable "name" {
  description = "Name of the bucket."
  type        = string
  validation {
    condition     = length(var.name) <= 63
    error_message = "A bucket name has at most 63 characters, ${var.name} has ${length(var.name)}: give a shorter bucket_prefix."
  }
}

variable "key" {
  description = "KMS key of the bucket. Null means AES256, which a target of access logs must use."
  type        = object({ arn = string })
  default     = null
}

variable "log_bucket" {
  description = "Bucket that receives this bucket's access logs; empty for the log bucket itself."
  type        = string
  default     = ""
}

variable "log_prefix" {
  description = "Last part of the prefix of this bucket's access logs."
  type        = string
  default     = ""
}

variable "logs_of" {
  description = "Buckets of one account that write their access logs here, and a trail of CloudTrail that writes below cloudtrail/."
  type        = object({ account_id = string, buckets = list(string), trail_arn = optional(string) })
  default     = { account_id = "", buckets = [] }
}

variable "retention" {
  description = "Prefix => days until nothing is left of an object, of which an old version has some, and days until it moves to Infrequent Access."
  type        = map(object({ expire_days = number, versions_days = optional(number, 1), infrequent_access_days = optional(number) }))
  default     = {}
}

variable "append_only" {
  description = "Prefixes below which objects are created and neither replaced nor, while the bucket may not be destroyed, deleted."
  type        = list(string)
  default     = []
}

variable "allow_destroy" {
  description = "Whether the bucket may be destroyed while it holds objects."
  type        = bool
  default     = false
}
