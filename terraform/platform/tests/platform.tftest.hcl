# The whole platform under a mocked provider: no account, no network. Structure is asserted here, policies in tests/terraform.

mock_provider "aws" {
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mocked" }
  }
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000" }
  }
  mock_resource "aws_secretsmanager_secret" {
    defaults = { arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:mocked" }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-west-1:123456789012:mocked" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:eu-west-1:123456789012:mocked" }
  }
}

override_resource {
  target = aws_kms_key.alerts
  values = { arn = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-00000000a1e5" }
}

variables {
  project       = "lake"
  bucket_prefix = "lake"
  environment   = "test"
  region        = "eu-west-1"
  account_id    = "123456789012"
  alert_email   = "somebody@example.com"
  allow_destroy = false

  first_pseudonym_key = "planted-key-that-must-not-be-seen"

  weather_iot = {
    batch_schedule            = "cron(15 0 * * ? *)"
    stream_schedule           = "rate(5 minutes)"
    transform_schedule        = "rate(1 hour)"
    cities                    = [{ name = "Paris", latitude = 48.8566, longitude = 2.3522 }]
    forecast_days             = 1
    sensors_per_city          = 3
    transform_timeout_minutes = 30
  }
}

run "everything" {
  assert {
    condition     = output.platform.lake_bucket == "lake-test-datalake" && output.platform.database == "lake_test"
    error_message = "Names follow from project and environment."
  }
  assert {
    condition     = toset(keys(output.platform.weather_iot.datasets)) == toset(["curated_sensor_readings", "curated_weather", "raw_iot_sensors", "raw_weather"])
    error_message = "Every contract of the pipeline is a dataset."
  }
  assert {
    condition     = aws_dynamodb_table.ledger.deletion_protection_enabled && aws_secretsmanager_secret.pseudonym_key.recovery_window_in_days == 30
    error_message = "Without the first switch nothing goes at once."
  }
}
