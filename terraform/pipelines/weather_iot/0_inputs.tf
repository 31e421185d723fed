# What the pipeline gets: from the platform by its parameter, from people by <environment>.tfvars.

locals {
  pipeline = basename(abspath(path.module))
  platform = module.context.platform
  cities   = [for city in var.cities : merge(city, { key = city.key != null ? city.key : trim(replace(lower(city.name), "/[^a-z0-9]+/", "_"), "_") })]
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

variable "cities" {
  description = "Cities of both sources, degrees north and east. The key is the name in the keys of objects; a name in ASCII needs none."
  type        = list(object({ name = string, latitude = number, longitude = number, key = optional(string) }))

  validation {
    condition     = length(distinct(var.cities[*].name)) == length(var.cities)
    error_message = "Two cities have one name: ${join(", ", [for city in var.cities : city.name if length([for other in var.cities : other if other.name == city.name]) > 1])}."
  }
  validation {
    condition     = alltrue([for city in var.cities : can(regex("^[^\\s\\p{Z}\\p{C}]+([ \\x{200C}\\x{200D}][^\\s\\p{Z}\\p{C}]+)*$", city.name))])
    error_message = "The name of a city is words joined by one space, without letters that nobody sees: ${jsonencode(var.cities[*].name)}."
  }
  validation {
    condition     = alltrue([for city in var.cities : city.latitude >= -90 && city.latitude <= 90 && city.longitude >= -180 && city.longitude <= 180])
    error_message = "A city is at most 90 degrees north or south and 180 degrees east or west."
  }
  validation {
    condition     = alltrue([for city in var.cities : city.key != null || can(regex("^[ -~]*[A-Za-z0-9][ -~]*$", city.name))])
    error_message = "A name with letters beyond ASCII needs a key, as in { name = \"Brasília\", key = \"brasilia\", … }: ${join(", ", [for city in var.cities : city.name if !can(regex("^[ -~]*[A-Za-z0-9][ -~]*$", city.name))])}."
  }
  validation {
    condition     = alltrue([for city in var.cities : city.key == null || can(regex("^[a-z0-9]+(_[a-z0-9]+)*$", city.key))])
    error_message = "A key is words of a-z and 0-9 joined by underscores: ${join(", ", compact(var.cities[*].key))}."
  }
  validation {
    # As local.cities makes them, which a validation may not ask: it is made of this variable.
    condition     = length(distinct([for city in var.cities : city.key != null ? city.key : trim(replace(lower(city.name), "/[^a-z0-9]+/", "_"), "_")])) == length(var.cities)
    error_message = "Two cities have one key, by which their objects are named: ${join(", ", var.cities[*].name)}."
  }
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
