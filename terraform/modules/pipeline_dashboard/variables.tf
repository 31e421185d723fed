variable "registered" {
  description = "What the pipeline registers: names of its parts, and how many seconds old its datasets may get."
  type = object({
    functions  = optional(map(string), {})
    streams    = optional(map(string), {})
    jobs       = optional(map(string), {})
    operations = optional(map(string), {})
    repairs    = map(string)
    freshness  = map(number)
    alarms     = list(string)
  })
}

variable "platform" {
  description = "What the platform gives."
  type = object({
    project     = string
    environment = string
    pipeline    = string
    region      = string
    account_id  = string
  })
}

variable "highest_quarantine_ratio" {
  description = "Quarantined part of a run above which the pipeline's alarm rings; null when it has no such alarm."
  type        = number
  default     = null
}
