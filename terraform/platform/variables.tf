variable "project" {
  description = "First part of all names."
  type        = string
  default     = "aws-datalake-platform"
}

variable "bucket_prefix" {
  description = "First part of the names of buckets, before account, region and environment; the project when not given."
  type        = string
  default     = null
}

variable "account_id" {
  description = "The only account in which this environment may be; any when not given."
  type        = string
  default     = null
}

variable "environment" {
  description = "dev or prod."
  type        = string
}

variable "region" {
  description = "Region of all resources."
  type        = string
  default     = "us-east-1"
}

variable "alert_email" {
  description = "Address that receives alarms. It must confirm the subscription once."
  type        = string
  validation {
    condition     = can(regex("^[^@[:space:]]+@[^@[:space:]]+$", var.alert_email))
    error_message = "alert_email must be an e-mail address."
  }
  validation {
    condition     = var.environment == "dev" || !can(regex("[@.]example[.](com|org|net)$", lower(var.alert_email)))
    error_message = "Nobody reads ${var.alert_email}: give an address of your own, here or by ALERT_EMAIL."
  }
}

variable "second_alert_email" {
  description = "Address of somebody else, who learns when nobody receives alarms any more. Without one only `lake status` says so."
  type        = string
  default     = null
}

variable "allow_destroy" {
  description = "First of the two switches that deleting data needs; it must be applied before destroy. The second is CONFIRM."
  type        = bool
  default     = false
}

variable "reserved_concurrency" {
  description = "Function => simultaneous invocations that are reserved for it and its limit. A new account's quota has no room for any."
  type        = map(number)
  default     = {}
}

variable "audit_trail" {
  description = "What CloudTrail writes down: management calls (\"management\"; free when it is the first trail of the account), also who reads raw, quarantine and results and who writes the ledger (\"all\"), or nothing (\"none\"), which takes the alarms pseudonym-key-read and protection-changed too."
  type        = string
  default     = "all"
  validation {
    condition     = contains(["all", "management", "none"], var.audit_trail)
    error_message = "audit_trail is all, management or none, not ${var.audit_trail}."
  }
}

variable "budget" {
  description = "US dollars a month that the environment may cost, told by mail at 80 % spent and 100 % foretold. by_tags: count what carries the environment's tags alone, once the billing account has activated them; before that such a budget counts nothing, so without it all of the account counts. anomaly_usd: also tell of a day that costs so much more than usual; needs the tags too, and Cost Explorer."
  type = object({
    monthly_usd = optional(number, 50)
    by_tags     = optional(bool, false)
    anomaly_usd = optional(number)
  })
  default = {}
  validation {
    condition     = var.budget.monthly_usd > 0
    error_message = "budget.monthly_usd must be more than 0."
  }
  validation {
    condition     = var.budget.anomaly_usd == null || var.budget.by_tags
    error_message = "budget.anomaly_usd needs by_tags: anomalies are looked for in what carries the tag project."
  }
}
