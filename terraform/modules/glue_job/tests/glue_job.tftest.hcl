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
    condition     = !contains(keys(aws_glue_job.this["lake-load-test"].non_overridable_arguments), "--pseudonym_key")
    error_message = "Nor is it told where the key is."
  }
}

run "a_job_that_encrypts_is_called_as_the_key_knows_its_readers" {
  command = plan
  variables {
    writes = { curated_a = { name = "curated_a", prefix = "curated/a/", uri = "s3://lake/curated/a/", encrypted = true } }
  }
  expect_failures = [aws_glue_job.this["lake-load-test"], aws_glue_job.this["lake-load-repairs-test"]]
}

run "then_it_gets_the_key" {
  command = plan
  variables {
    name   = "transform"
    writes = { curated_a = { name = "curated_a", prefix = "curated/a/", uri = "s3://lake/curated/a/", encrypted = true } }
  }
  assert {
    condition     = aws_glue_job.this["lake-transform-test"].non_overridable_arguments["--pseudonym_key"] == var.platform.pseudonym_key_arn
    error_message = "It is told where the key is."
  }
  assert {
    condition     = strcontains(jsonencode(local._statements), "secretsmanager:GetSecretValue") && strcontains(jsonencode(local._statements), var.platform.privacy_key_arn)
    error_message = "It may read and open it."
  }
}

run "repairs_have_a_job_of_their_own_that_differs_in_nothing_but_how_many_run_at_once" {
  command = plan
  assert {
    condition     = jsonencode({ for name, job in aws_glue_job.this : name => job.execution_property[0].max_concurrent_runs }) == jsonencode({ lake-load-test = 1, lake-load-repairs-test = 3 })
    error_message = "Loads run one after the other, repairs beside them."
  }
  assert {
    condition     = length(distinct([for job in aws_glue_job.this : jsonencode(job.non_overridable_arguments)])) == 1 && length(distinct([for job in aws_glue_job.this : job.timeout])) == 1
    error_message = "Both do the same with the same code."
  }
}

run "a_job_may_have_none" {
  command = plan
  variables {
    repairs = false
  }
  assert {
    condition     = keys(aws_glue_job.this) == ["lake-load-test"] && output.job.repairs == null
    error_message = "Nobody asked for one."
  }
}
