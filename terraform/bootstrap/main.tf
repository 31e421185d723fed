# What an account must have before workflows of GitHub can deliver: applied once for each account, by an administrator. Its
# state lies in the same bucket as the others, where the roles made here do not reach.

provider "aws" {
  region              = var.state.region
  allowed_account_ids = [var.account_id]
  default_tags {
    tags = { project = var.project, managed-by = "terraform" }
  }
}

locals {
  issuer   = "https://token.actions.githubusercontent.com"
  provider = var.existing_provider ? one(data.aws_iam_openid_connect_provider.github[*].arn) : one(aws_iam_openid_connect_provider.github[*].arn)
}

# Without thumbprints: AWS checks GitHub's certificate by itself.
resource "aws_iam_openid_connect_provider" "github" {
  count          = var.existing_provider ? 0 : 1
  url            = local.issuer
  client_id_list = ["sts.amazonaws.com"]
}

# An account has one provider of an issuer at most: that of another project serves as well.
data "aws_iam_openid_connect_provider" "github" {
  count = var.existing_provider ? 1 : 0
  url   = local.issuer
}

module "delivery" {
  source       = "../modules/delivery_roles"
  for_each     = var.environments
  project      = var.project
  environment  = merge(each.value, { name = each.key })
  account_id   = var.account_id
  state        = var.state
  github       = var.github
  provider_arn = local.provider
}
