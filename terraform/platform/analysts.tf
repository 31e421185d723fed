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

locals {
  _analysts_query = {
    Query = {
      Action = [
        "athena:BatchGetNamedQuery", "athena:BatchGetQueryExecution", "athena:GetNamedQuery", "athena:GetQueryExecution", "athena:GetQueryResults", "athena:GetWorkGroup",
        "athena:ListNamedQueries", "athena:ListQueryExecutions", "athena:StartQueryExecution", "athena:StopQueryExecution",
      ]
      Resource = [aws_athena_workgroup.analysts.arn]
    }
    Tables = {
      Action = ["glue:BatchGetPartition", "glue:GetDatabase", "glue:GetPartition", "glue:GetPartitions", "glue:GetTable"]
      Resource = concat(
        ["${local._catalog}:catalog", "${local._catalog}:database/${local._database}"],
        [for table in local._analyst_tables : "${local._catalog}:table/${local._database}/${table}"],
      )
    }
    Data = { Action = ["s3:GetObject"], Resource = local._analyst_objects }
    ListData = {
      Action    = ["s3:ListBucket"]
      Resource  = [local._lake_arn]
      Condition = { StringLike = { "s3:prefix" = local._analyst_data } }
    }
    Results = {
      Action   = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"]
      Resource = [local._analyst_results]
    }
    ResultsPlace = { Action = ["s3:GetBucketLocation"], Resource = [local._results_arn] }
    UseKey = {
      Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource  = [aws_kms_key.lake.arn]
      Condition = { StringEquals = { "kms:ViaService" = "s3.${var.region}.amazonaws.com" } }
    }
  }

  # Whatever else somebody attaches to the role, or the policy of a resource says. Raw data, rejected records, manifests,
  # audits and code are among the other objects.
  _analysts_never = {
    NoOtherObject = {
      Effect      = "Deny"
      Action      = ["s3:GetObject", "s3:GetObjectVersion"]
      NotResource = concat(local._analyst_objects, [local._analyst_results])
    }
    NoChange = {
      Effect      = "Deny"
      Action      = ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObject"]
      NotResource = [local._analyst_results]
    }
    NoOtherWorkgroup = { Effect = "Deny", Action = ["athena:StartQueryExecution"], NotResource = [aws_athena_workgroup.analysts.arn] }
    NoSecret         = { Effect = "Deny", Action = ["secretsmanager:*"], Resource = ["*"] }
    NoLedger         = { Effect = "Deny", Action = ["dynamodb:*"], Resource = ["*"] }
    NoOtherRole      = { Effect = "Deny", Action = ["sts:AssumeRole*"], Resource = ["*"] }
  }
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
