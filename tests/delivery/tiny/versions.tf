# A pipeline of one parameter, found by its folder as every pipeline is: it reads the platform and registers itself.

terraform {
  required_version = ">= 1.11"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
  backend "s3" {}
}

provider "aws" {
  region = var.region
}

variable "project" {
  type    = string
  default = "aws-datalake-platform"
}

variable "region" {
  type    = string
  default = "us-east-1"
}

variable "account_id" {
  type    = string
  default = null
}

variable "environment" {
  type = string
}

variable "allow_destroy" {
  type    = bool
  default = false
}

module "context" {
  source      = "../../modules/pipeline_context"
  project     = var.project
  environment = var.environment
  pipeline    = "tiny"
}

# Every pipeline puts a policy of its name onto the repair role before it registers: the platform counts on it.
resource "aws_iam_role_policy" "repair" {
  name = module.context.platform.pipeline
  role = reverse(split("/", module.context.platform.repair_role))[0]
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Sid = "Nothing", Effect = "Deny", Action = "ssm:DeleteParameter", Resource = "*" }]
  })
}

resource "aws_ssm_parameter" "pipeline" {
  name       = module.context.platform.registration
  type       = "String"
  value      = jsonencode({ bucket = module.context.platform.bucket })
  depends_on = [aws_iam_role_policy.repair]
}

module "destroy_guard" {
  source        = "../../modules/destroy_guard"
  allow_destroy = var.allow_destroy
  environment   = var.environment
  depends_on    = [aws_iam_role_policy.repair, aws_ssm_parameter.pipeline]
}

output "allow_destroy" {
  value = module.destroy_guard.allow_destroy
}
