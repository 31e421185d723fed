# A Spark job. Its arguments and what it may touch follow from `reads` and `writes`.

locals {
  name    = format(var.platform.naming, var.name)
  repairs = format(var.platform.naming, "${var.name}-repairs")
  _jobs   = "arn:aws:glue:${var.platform.region}:${var.platform.account_id}:job"
  title   = trimsuffix(var.script, ".py")

  # scripts/build.py puts script and wheel into one folder, called by the digest of both; `make apply` adds that folder to
  # the code bucket. The job's definition is the one switch from the old folder, which stays, to the new one.
  _wheel       = coalesce(one(fileset("${var.platform.code}/${local.title}", "*/*.whl")), "missing/lake.whl (scripts/build.py makes it)")
  code_version = dirname(local._wheel)
  _code        = "s3://${var.platform.code_bucket}/jobs/${var.platform.pipeline}/${local.title}"
  script       = "${local._code}/${local.code_version}/${var.script}"

  # Glue would make groups that all jobs of the account share, without an expiry and without our key.
  log_prefix = "/aws-glue/${local.name}"
  log_groups = { for kind in ["output", "error"] : kind => "${local.log_prefix}/${kind}" }

  # Loads are one after the other: two would wait for each other's locks. Repairs are a job of their own, with the same
  # code and rights, so that a long one keeps no load from starting and two people can repair at once.
  _at_once = merge({ (local.name) = 1 }, var.repairs ? { (local.repairs) = 3 } : {})

  # Only who writes encrypted data gets the key.
  encrypts = anytrue([for dataset in var.writes : dataset.encrypted])
}

resource "aws_cloudwatch_log_group" "this" {
  for_each          = local.log_groups
  name              = each.value
  retention_in_days = 14
  kms_key_id        = var.platform.key_arn
}

resource "aws_glue_job" "this" {
  for_each          = local._at_once
  name              = each.key
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
    script_location = local.script
  }

  execution_property {
    max_concurrent_runs = each.value
  }

  # Who starts the job says what it does, and not with which code, rights or places: whatever a run gives for these is ignored.
  non_overridable_arguments = merge(local.encrypts ? { "--pseudonym_key" = var.platform.pseudonym_key_arn } : {}, {
    "--reads"        = jsonencode({ for name, dataset in var.reads : name => dataset.uri })
    "--writes"       = jsonencode({ for name, dataset in var.writes : name => dataset.uri })
    "--staging"      = "s3://${var.platform.bucket}/staging/${var.platform.pipeline}/"
    "--manifests"    = "s3://${var.platform.bucket}/ops/manifests/"
    "--database"     = var.platform.database
    "--ledger"       = var.platform.ledger
    "--code_version" = local.code_version

    # A run of the job begins no further load when half of its time is over.
    "--time_limit_minutes" = tostring(var.timeout_minutes)

    "--environment"       = var.platform.environment
    "--metrics_namespace" = var.platform.project

    "--TempDir"                   = "s3://${var.platform.bucket}/glue-temp/${var.platform.pipeline}/"
    "--additional-python-modules" = "${local._code}/${local._wheel}"
    # Ways to bring other code into the run, each with what the job has anyway.
    "--scriptLocation"  = local.script
    "--extra-py-files"  = local.script
    "--user-jars-first" = "false"
    "--conf"            = "spark.sql.session.timeZone=UTC"
    # The wheel needs nothing that Glue lacks; a package index that a job depends on could stop it or change it.
    "--python-modules-installer-option"  = "--no-index --no-deps"
    "--custom-logGroup-prefix"           = local.log_prefix
    "--enable-continuous-cloudwatch-log" = "true"
    "--enable-metrics"                   = "true"
    "--enable-observability-metrics"     = "true"
    "--job-bookmark-option"              = "job-bookmark-disable"
  })

  lifecycle {
    precondition {
      condition     = !local.encrypts || contains(var.platform.key_readers, var.name)
      error_message = "A job that encrypts data must be called ${join(" or ", var.platform.key_readers)}: roles of other names cannot read the pseudonym key."
    }
  }

  # A run that comes before its groups would be a run without a log.
  depends_on = [aws_cloudwatch_log_group.this]
}
