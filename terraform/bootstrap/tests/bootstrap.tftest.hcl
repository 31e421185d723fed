# The roles of a delivery under a mocked provider. What their policies say is judged in tests/terraform/test_delivery_roles.py.

mock_provider "aws" {
  mock_resource "aws_iam_openid_connect_provider" {
    defaults = { arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
  }
  mock_data "aws_iam_openid_connect_provider" {
    defaults = { arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mocked" }
  }
  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::123456789012:policy/mocked" }
  }
}

variables {
  project    = "lake"
  account_id = "123456789012"
  github     = { owner = "acme", name = "lake", owner_id = "11", repository_id = "22" }
  state      = { bucket = "lake-tf-state-123456789012-eu-west-1", dynamodb_table = "lake-tf-locks", region = "eu-west-1" }
  environments = {
    test = {
      region        = "eu-west-1"
      buckets       = { for what in ["datalake", "results", "logs", "code"] : what => "lake-123456789012-eu-west-1-test-${what}" }
      allow_destroy = true
    }
    # Names that are as long as they get.
    production = {
      region        = "ap-southeast-1"
      buckets       = { for what in ["datalake", "results", "logs", "code"] : what => "aws-datalake-platform-123456789012-ap-southeast-1-prod-${what}" }
      allow_destroy = false
    }
  }
}

run "everything" {
  assert {
    condition     = output.delivery["test"].destroy != null && output.delivery["production"].destroy == null
    error_message = "There is a role that destroys exactly where destroying is allowed."
  }
  assert {
    condition     = output.delivery["test"].roles.path == "/lake/lake/test/"
    error_message = "The path of roles follows from project and environment."
  }
}

run "provider_of_somebody_else" {
  variables {
    existing_provider = true
  }
  assert {
    condition     = length(aws_iam_openid_connect_provider.github) == 0
    error_message = "The provider that is there already is left alone."
  }
}
