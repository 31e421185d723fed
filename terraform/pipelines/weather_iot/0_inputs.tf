variable "lake" {
  description = "What the platform gives."
  type = object({
    project             = string
    environment         = string
    region              = string
    account_id          = string
    naming              = string
    bucket              = string
    bucket_arn          = string
    key_arn             = string
    database            = string
    ledger              = string
    pseudonym_key_arn   = string
    topic_arn           = string
    dead_letters_arn    = string
    runs                = object({ name = string, prefix = string, uri = string })
    wheel               = object({ uri = string, sha256 = string })
    contracts           = string
    quarantine_contract = string
    artifacts           = string
    jobs                = string
  })
}

variable "settings" {
  description = "Schedules in UTC, the cities that both sources cover, days of forecast, sensors for each city, and minutes for a run."
  type = object({
    batch_schedule            = string
    stream_schedule           = string
    transform_schedule        = string
    cities                    = list(object({ name = string, latitude = number, longitude = number }))
    forecast_days             = number
    sensors_per_city          = number
    transform_timeout_minutes = number
  })
}
