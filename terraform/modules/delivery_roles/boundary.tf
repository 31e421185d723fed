# The most that any role of the environment can do, whatever its own policies say: what the modules grant, on what the
# environment has. A pipeline whose roles need more needs it here first, from an administrator; a test compares them.

resource "aws_iam_policy" "boundary" {
  name        = format(local.naming, "delivery-boundary")
  path        = local._delivery
  description = "Boundary of the roles of ${local._env}"
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [for id, statement in merge(local._bounds, local._out_of_bounds) : merge({ Sid = id, Effect = "Allow" }, statement)]
  })
}

locals {
  _key_keeper = "arn:aws:iam::${var.account_id}:role${local.roles_path}${format(local.naming, "key-keeper")}"

  _bounds = {
    Objects = {
      Action   = ["s3:AbortMultipartUpload", "s3:DeleteObjectVersion", "s3:GetObject", "s3:GetObjectVersion", "s3:ListMultipartUploadParts", "s3:PutObject"]
      Resource = local.arns.data
    }
    # Nobody who runs code writes it.
    Code = { Action = ["s3:GetObject"], Resource = local.arns.code }
    Buckets = {
      Action   = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:ListBucketVersions"]
      Resource = local.arns.buckets
    }
    Keys    = { Action = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"], Resource = local.arns.keys, Condition = { StringEquals = local.tagged } }
    Tables  = { Action = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"], Resource = local.arns.tables }
    Catalog = { Action = ["glue:BatchCreatePartition", "glue:BatchGetPartition", "glue:GetDatabase", "glue:GetPartition", "glue:GetPartitions", "glue:GetTable"], Resource = local.arns.catalog }
    Queries = {
      Action = [
        "athena:BatchGetNamedQuery", "athena:BatchGetQueryExecution", "athena:GetNamedQuery", "athena:GetQueryExecution", "athena:GetQueryResults", "athena:GetWorkGroup",
        "athena:ListNamedQueries", "athena:ListQueryExecutions", "athena:StartQueryExecution", "athena:StopQueryExecution",
      ]
      Resource = local.arns.workgroups
    }
    Governed   = { Action = ["lakeformation:GetDataAccess"], Resource = "*" }
    Jobs       = { Action = ["glue:GetJobRun", "glue:StartJobRun"], Resource = local.arns.jobs }
    Functions  = { Action = ["lambda:GetFunctionConfiguration", "lambda:InvokeFunction"], Resource = local.arns.functions }
    Streams    = { Action = ["firehose:PutRecordBatch"], Resource = local.arns.streams }
    Topics     = { Action = ["sns:GetTopicAttributes"], Resource = local.arns.topics }
    Queues     = { Action = ["sqs:SendMessage"], Resource = local.arns.queues }
    Logs       = { Action = ["logs:CreateLogStream", "logs:PutLogEvents"], Resource = [for arn in local.arns.log_groups : "${arn}:*"] }
    Metrics    = { Action = ["cloudwatch:PutMetricData"], Resource = "*", Condition = { StringEquals = { "cloudwatch:namespace" = ["Glue", var.project] } } }
    Parameters = { Action = ["ssm:GetParameter", "ssm:GetParametersByPath"], Resource = local.arns.parameters }
    Secrets    = { Action = ["secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage"], Resource = local.arns.secrets }
  }

  # Also by what the policy of a resource says.
  _out_of_bounds = {
    NoIdentity = { Effect = "Deny", Action = ["iam:*", "sts:AssumeRole"], Resource = "*" }
    NoKeys     = { Effect = "Deny", Action = ["kms:CreateGrant", "kms:Disable*", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"], Resource = "*" }
    # Only who keeps the pseudonym key rotates it.
    NoSecrets = {
      Effect    = "Deny"
      Action    = ["secretsmanager:Delete*", "secretsmanager:Put*", "secretsmanager:Update*"]
      Resource  = "*"
      Condition = { ArnNotEquals = { "aws:PrincipalArn" = local._key_keeper } }
    }
  }
}
