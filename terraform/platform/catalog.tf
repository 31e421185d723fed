resource "aws_glue_catalog_database" "lake" {
  name        = replace("${var.project}_${var.environment}", "-", "_")
  catalog_id  = local.account_id
  description = "Tables of s3://${module.lake_bucket.bucket.name}"
}

module "pipeline_runs" {
  source              = "../modules/dataset"
  contract            = "${local.contracts}/platform/pipeline_runs.yaml"
  quarantine_contract = "${local.contracts}/platform/quarantine.yaml"
  platform = {
    account_id         = local.account_id
    bucket             = module.lake_bucket.bucket.name
    database           = aws_glue_catalog_database.lake.name
    workgroup          = aws_athena_workgroup.analytics.name
    analysts_workgroup = aws_athena_workgroup.analysts.name
    analyst_role       = module.analyst.role.arn
    lake_formation     = var.lake_formation
  }
}

resource "aws_athena_workgroup" "analytics" {
  name          = format(local.naming, "analytics")
  description   = "Queries of those who run the lake"
  force_destroy = var.allow_destroy

  configuration {
    enforce_workgroup_configuration    = true
    publish_cloudwatch_metrics_enabled = true
    bytes_scanned_cutoff_per_query     = 10 * pow(1024, 3)

    engine_version {
      selected_engine_version = "Athena engine version 3"
    }

    result_configuration {
      output_location       = "s3://${module.results_bucket.bucket.name}/query-results/"
      expected_bucket_owner = local.account_id

      encryption_configuration {
        encryption_option = "SSE_KMS"
        kms_key_arn       = aws_kms_key.lake.arn
      }
    }
  }
}
