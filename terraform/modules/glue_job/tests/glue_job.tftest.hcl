# Which jobs get the pseudonym key.

mock_provider "aws" {
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mocked" }
  }
}

variables {
  name            = "load"
  script          = "load.py"
  timeout_minutes = 30
  reads           = { raw_a = { name = "raw_a", prefix = "raw/a/", uri = "s3://lake/raw/a/" } }
  writes          = { curated_a = { name = "curated_a", prefix = "curated/a/", uri = "s3://lake/curated/a/" } }
  platform = {
    project           = "lake"
    environment       = "test"
    pipeline          = "some"
    naming            = "lake-%s-test"
    region            = "eu-west-1"
    account_id        = "123456789012"
    roles             = { path = "/lake/", permissions_boundary = null }
    bucket            = "lake"
    bucket_arn        = "arn:aws:s3:::lake"
    key_arn           = "arn:aws:kms:eu-west-1:123456789012:key/1"
    database          = "lake_test"
    ledger            = "lake-ledger-test"
    pseudonym_key_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:key"
    privacy_key_arn   = "arn:aws:kms:eu-west-1:123456789012:key/2"
    key_readers       = ["transform"]
    code              = "tests"
    code_bucket       = "code"
  }
}

run "a_job_that_encrypts_nothing_neither_reads_nor_opens_the_key" {
  command = plan
  assert {
    condition     = !strcontains(jsonencode(local._statements), "secretsmanager") && !strcontains(jsonencode(local._statements), var.platform.privacy_key_arn)
    error_message = "No right without need."
  }
  assert {
    condition     = !contains(keys(aws_glue_job.this.non_overridable_arguments), "--pseudonym_key")
    error_message = "Nor is it told where the key is."
  }
}

run "a_job_that_encrypts_is_called_as_the_key_knows_its_readers" {
  command = plan
  variables {
    writes = { curated_a = { name = "curated_a", prefix = "curated/a/", uri = "s3://lake/curated/a/", encrypted = true } }
  }
  expect_failures = [aws_glue_job.this]
}

run "then_it_gets_the_key" {
  command = plan
  variables {
    name   = "transform"
    writes = { curated_a = { name = "curated_a", prefix = "curated/a/", uri = "s3://lake/curated/a/", encrypted = true } }
  }
  assert {
    condition     = aws_glue_job.this.non_overridable_arguments["--pseudonym_key"] == var.platform.pseudonym_key_arn
    error_message = "It is told where the key is."
  }
  assert {
    condition     = strcontains(jsonencode(local._statements), "secretsmanager:GetSecretValue") && strcontains(jsonencode(local._statements), var.platform.privacy_key_arn)
    error_message = "It may read and open it."
  }
}
