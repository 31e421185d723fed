# The root of what all pipelines share.

provider "aws" {
  region              = var.region
  allowed_account_ids = var.account_id == null ? null : [var.account_id]
  default_tags {
    tags = { project = var.project, environment = var.environment, managed-by = "terraform" }
  }
}

data "aws_caller_identity" "current" {}
