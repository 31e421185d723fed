# The same in every environment; a test compares the files. What differs is in terraform.tfvars and backend.tf.

provider "aws" {
  region = var.region
  default_tags {
    tags = { project = var.project, environment = var.environment, managed-by = "terraform" }
  }
}

data "aws_caller_identity" "current" {}

ephemeral "aws_secretsmanager_random_password" "pseudonym_key" {
  password_length     = 64
  exclude_punctuation = true
}

module "platform" {
  source        = "../../platform"
  project       = var.project
  bucket_prefix = var.bucket_prefix
  environment   = var.environment
  region        = var.region
  account_id    = data.aws_caller_identity.current.account_id
  alert_email   = var.alert_email
  allow_destroy = var.allow_destroy

  first_pseudonym_key = ephemeral.aws_secretsmanager_random_password.pseudonym_key.random_password

  weather_iot = {
    batch_schedule            = var.batch_schedule
    stream_schedule           = var.stream_schedule
    transform_schedule        = var.transform_schedule
    cities                    = var.cities
    forecast_days             = var.forecast_days
    sensors_per_city          = var.sensors_per_city
    transform_timeout_minutes = var.transform_timeout_minutes
  }
}

# Deleting data needs two switches: allow_destroy, which must have been applied before, and CONFIRM in the environment of the
# command that destroys. Everything hangs on this resource, so it goes first; when it refuses, nothing has been touched.
resource "terraform_data" "destroy_guard" {
  input      = { allow_destroy = tostring(var.allow_destroy), environment = var.environment }
  depends_on = [module.platform]

  provisioner "local-exec" {
    when        = destroy
    quiet       = true
    environment = self.output
    command     = <<-EOT
      if [ "$allow_destroy" != true ]; then
        echo "Refused: '$environment' is not to be destroyed. Set allow_destroy = true in its terraform.tfvars and apply that first." >&2
        exit 1
      fi
      if [ "$CONFIRM" != "$environment" ]; then
        echo "Refused: all data of '$environment' would be lost. If that is meant, give CONFIRM=$environment." >&2
        exit 1
      fi
    EOT
  }
}

output "platform" {
  description = "What people and scripts need to know."
  value       = module.platform.platform
}

output "allow_destroy" {
  description = "Whether the first switch was applied."
  value       = terraform_data.destroy_guard.output.allow_destroy
}
