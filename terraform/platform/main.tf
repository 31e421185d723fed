# The root of what all pipelines share.

provider "aws" {
  region = var.region
  default_tags {
    tags = { project = var.project, environment = var.environment, managed-by = "terraform" }
  }
}

data "aws_caller_identity" "current" {}
