variable "datasets" {
  description = "Name => dataset of the pipeline; those without a quarantine are raw."
  type        = map(object({ prefix = string, quarantine = object({ prefix = string }) }))
}

variable "jobs" {
  description = "Name => job that replays and discards."
  type        = map(object({ arn = string }))
}

variable "platform" {
  description = "What the platform gives."
  type = object({
    pipeline    = string
    region      = string
    account_id  = string
    bucket_arn  = string
    ledger      = string
    repair_role = string
  })
}
