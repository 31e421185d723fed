variable "contract" {
  description = "Path of the contract, for example contracts/weather_iot/raw_weather.yaml."
  type        = string
}

variable "quarantine_contract" {
  description = "Path of the contract that every quarantine follows."
  type        = string
}

variable "platform" {
  description = "Where the dataset lives."
  type        = object({ account_id = string, bucket = string, database = string })
}
