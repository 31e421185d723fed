# The root of what all pipelines share.

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
