# Analysts read curated tables and the history of runs, by Athena and in S3, and nothing else. What they read follows from
# the contracts; the named queries of a dataset are in modules/dataset.

locals {
  _of_analysts    = [for contract in local._contracts : contract.schema[0] if contains(["curated", "ops"], split("/", contract.schema[0].physicalName)[0])]
  _analyst_tables = local._of_analysts[*].name
  # One pattern for all that is curated: a policy has 10240 characters at most.
  _analyst_data   = distinct([for schema in local._of_analysts : startswith(schema.physicalName, "curated/") ? "curated/*" : "${schema.physicalName}/*"])
  _results_prefix = "query-results/analysts/"

  _lake_arn        = module.lake_bucket.bucket.arn
  _results_arn     = module.results_bucket.bucket.arn
  _analyst_results = "${local._results_arn}/${local._results_prefix}*"
  _analyst_objects = [for pattern in local._analyst_data : "${local._lake_arn}/${pattern}"]
  _catalog         = "arn:aws:glue:${var.region}:${local.account_id}"
  _database        = aws_glue_catalog_database.lake.name
}

resource "aws_athena_workgroup" "analysts" {
  name          = format(local.naming, "analysts")
  description   = "Queries of analysts"
  force_destroy = var.allow_destroy

  configuration {
    enforce_workgroup_configuration    = true
    publish_cloudwatch_metrics_enabled = true
    bytes_scanned_cutoff_per_query     = var.analyst_query_bytes

    engine_version {
      selected_engine_version = "Athena engine version 3"
    }

    result_configuration {
      # Athena knows no variables here: who queries in the workgroup reads the results of all who do.
      output_location       = "s3://${module.results_bucket.bucket.name}/${local._results_prefix}"
      expected_bucket_owner = local.account_id

      encryption_configuration {
        encryption_option = "SSE_KMS"
        kms_key_arn       = aws_kms_key.lake.arn
      }
    }
  }
}

module "analyst" {
  source      = "../modules/people_role"
  name        = format(local.naming, "analyst")
  description = "Queries curated tables and the history of runs"
  account_id  = local.account_id
  principals  = var.analyst_principals
  session     = var.people_sessions
  roles       = var.roles
  statements = merge(
    local._analysts_query,
    local._analysts_never,
    var.lake_formation ? { GovernedData = { Action = ["lakeformation:GetDataAccess"], Resource = ["*"] } } : {},
  )
}

# Where Lake Formation governs the database, IAM alone opens no table. Those of a dataset are in modules/dataset.
resource "aws_lakeformation_permissions" "analyst" {
  count       = var.lake_formation ? 1 : 0
  principal   = module.analyst.role.arn
  permissions = ["DESCRIBE"]

  database {
    name       = aws_glue_catalog_database.lake.name
    catalog_id = local.account_id
  }
}
