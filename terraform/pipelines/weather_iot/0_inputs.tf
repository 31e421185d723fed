# What the pipeline gets: from the platform by its parameter, from people by <environment>.tfvars.

locals {
  pipeline = basename(abspath(path.module))
  platform = module.context.platform
}

provider "aws" {
  region              = var.region
  allowed_account_ids = var.account_id == null ? null : [var.account_id]
  default_tags {
    tags = { project = var.project, environment = var.environment, pipeline = local.pipeline, managed-by = "terraform" }
  }
}

module "context" {
  source      = "../../modules/pipeline_context"
  project     = var.project
  environment = var.environment
  pipeline    = local.pipeline

  # The first pipeline is older than the rule that names carry the pipeline.
  named_without_pipeline = true
}

variable "project" {
  description = "First part of all names; the same as the platform's."
  type        = string
  default     = "aws-datalake-platform"
}

variable "environment" {
  description = "dev or prod."
  type        = string
}

variable "region" {
  description = "Region of all resources; the same as the platform's."
  type        = string
  default     = "us-east-1"
}

variable "account_id" {
  description = "The only account in which this environment may be, from the platform's values; any when not given."
  type        = string
  default     = null
}

variable "allow_destroy" {
  description = "First of the two switches that destroying needs; it must be applied before destroy. The second is CONFIRM."
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

variable "reserved_concurrency" {
  description = "Function => simultaneous invocations that are reserved for it and its limit. A new account's quota has no room for any."
  type        = map(number)
  default     = {}
}
