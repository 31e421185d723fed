# A Spark job. Its arguments and what it may touch follow from `reads` and `writes`.

locals {
  name   = format(var.lake.naming, var.name)
  arn    = "arn:aws:glue:${var.lake.region}:${var.lake.account_id}:job/${local.name}"
  source = "${var.lake.jobs}/${var.script}"

  # Two runs with equal code say so, wherever they were deployed from.
  code_version = substr(sha256("${filesha256(local.source)} ${var.lake.wheel.sha256}"), 0, 12)
}

resource "aws_s3_object" "script" {
  bucket      = var.lake.bucket
  key         = "glue-scripts/${var.script}"
  source      = local.source
  source_hash = filesha256(local.source)
}

resource "aws_glue_job" "this" {
  name              = local.name
  role_arn          = module.role.role.arn
  glue_version      = "5.1"
  execution_class   = "STANDARD"
  worker_type       = "G.1X"
  number_of_workers = 2
  timeout           = var.timeout_minutes
  max_retries       = 0

  command {
    name            = "glueetl"
    python_version  = "3"
    script_location = "s3://${var.lake.bucket}/${aws_s3_object.script.key}"
  }

  execution_property {
    max_concurrent_runs = 1
  }

  default_arguments = {
    "--reads"         = jsonencode({ for name, dataset in var.reads : name => dataset.uri })
    "--writes"        = jsonencode({ for name, dataset in var.writes : name => dataset.uri })
    "--staging"       = "s3://${var.lake.bucket}/staging/"
    "--manifests"     = "s3://${var.lake.bucket}/ops/manifests/"
    "--database"      = var.lake.database
    "--ledger"        = var.lake.ledger
    "--pseudonym_key" = var.lake.pseudonym_key_arn
    "--code_version"  = local.code_version

    "--environment"       = var.lake.environment
    "--metrics_namespace" = var.lake.project

    "--TempDir"                          = "s3://${var.lake.bucket}/glue-temp/"
    "--additional-python-modules"        = var.lake.wheel.uri
    "--enable-continuous-cloudwatch-log" = "true"
    "--enable-metrics"                   = "true"
    "--enable-observability-metrics"     = "true"
    "--job-bookmark-option"              = "job-bookmark-disable"
  }
}
