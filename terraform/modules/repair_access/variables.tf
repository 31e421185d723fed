variable "datasets" {
  description = "Name => dataset of the pipeline; those that are made from nothing are raw, derived ones have no quarantine."
  type        = map(object({ prefix = string, made_from = list(string), quarantine = object({ prefix = string }) }))
}

variable "jobs" {
  description = "Name => job that repairs, or loads what was corrected."
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
