# What the role of analysts allows, and what it denies.

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
