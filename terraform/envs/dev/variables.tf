variable "project" {
  description = "First part of all names."
  type        = string
  default     = "aws-datalake-platform"
}

variable "bucket_prefix" {
  description = "First part of the names of buckets, which are shared with the whole world: choose another when one is taken."
  type        = string
  default     = "aws-datalake-platform"
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
}

variable "allow_destroy" {
  description = "First of the two switches that deleting data needs; it must be applied before destroy. The second is CONFIRM."
  type        = bool
  default     = false
}

variable "batch_schedule" {
  description = "When weather is ingested, UTC. A rate starts at once, so that a new lake has weather."
  type        = string
  default     = "rate(1 day)"
}

variable "stream_schedule" {
  description = "When sensor messages are generated, UTC."
  type        = string
  default     = "rate(5 minutes)"
}

variable "transform_schedule" {
  description = "When raw data is transformed, UTC. Not a rate, which starts at once: right after the first apply there is no raw data."
  type        = string
  default     = "cron(10 * * * ? *)"
}

variable "cities" {
  description = "Cities of both sources, degrees north and east."
  type        = list(object({ name = string, latitude = number, longitude = number }))
}

variable "forecast_days" {
  description = "Days of weather in one answer, today first."
  type        = number
  default     = 1
}

variable "sensors_per_city" {
  description = "Simulated sensors in each city."
  type        = number
  default     = 3
}

variable "transform_timeout_minutes" {
  description = "Minutes after which a run of the transform job is stopped."
  type        = number
  default     = 30
}
