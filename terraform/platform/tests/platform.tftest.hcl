# The whole platform under a mocked provider: no account, no network. Structure is asserted here, policies in tests/terraform.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mocked" }
  }
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000" }
  }
  mock_resource "aws_secretsmanager_secret" {
    defaults = { arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:mocked" }
  }
  mock_resource "aws_dynamodb_table" {
    defaults = { arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/lake-ledger-test" }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-west-1:123456789012:mocked" }
  }
  mock_resource "aws_ce_anomaly_monitor" {
    defaults = { arn = "arn:aws:ce::123456789012:anomalymonitor/mocked" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:eu-west-1:123456789012:mocked", url = "https://sqs.eu-west-1.amazonaws.com/123456789012/mocked" }
  }
}

override_resource {
  target = aws_kms_key.privacy
  values = { arn = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-0000000000ee" }
}

override_resource {
  target = aws_kms_key.alerts
  values = { arn = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-00000000a1e5" }
}

override_resource {
  target = aws_sns_topic.second
  values = { arn = "arn:aws:sns:eu-west-1:123456789012:second" }
}

# Pipelines attach their rights by the name in it.
override_resource {
  target = module.quarantine_repair.aws_iam_role.this
  values = { arn = "arn:aws:iam::123456789012:role/lake/lake/test/lake-quarantine-repair-test" }
}

override_resource {
  target = module.analyst.aws_iam_role.this
  values = { arn = "arn:aws:iam::123456789012:role/lake/lake/test/lake-analyst-test" }
}

override_resource {
  target = aws_athena_workgroup.analysts
  values = { arn = "arn:aws:athena:eu-west-1:123456789012:workgroup/lake-analysts-test" }
}

# Else the guard would keep the test from clearing up.
override_module {
  target  = module.destroy_guard
  outputs = { allow_destroy = "false" }
}

variables {
  project       = "lake"
  bucket_prefix = "lake"
  environment   = "test"
  region        = "eu-west-1"
  alert_email   = "somebody@lake.test"
  allow_destroy = false

  repair_principals  = ["arn:aws:iam::123456789012:role/repairer"]
  key_principals     = ["arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/*/AWSReservedSSO_Keys_*"]
  analyst_principals = ["arn:aws:iam::123456789012:role/analysts"]
  people_sessions    = { source_identity = true }

  roles = { path = "/lake/lake/test/", permissions_boundary = "arn:aws:iam::123456789012:policy/lake-delivery-boundary-test" }
}

run "everything" {
  assert {
    condition     = output.platform.lake_bucket == "lake-123456789012-eu-west-1-test-datalake" && output.platform.database == "lake_test"
    error_message = "Names follow from project and environment."
  }
  assert {
    condition     = aws_dynamodb_table.ledger.deletion_protection_enabled && aws_secretsmanager_secret.pseudonym_key.recovery_window_in_days == 30
    error_message = "Without the first switch nothing goes at once."
  }
}
