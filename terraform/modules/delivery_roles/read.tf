# What Terraform asks of AWS to compare the world with its state. No data: of objects only code and contracts.

locals {
  see_places = {
    Buckets = {
      Action = [
        "s3:GetAccelerateConfiguration", "s3:GetBucket*", "s3:GetEncryptionConfiguration", "s3:GetLifecycleConfiguration",
        "s3:GetReplicationConfiguration",
      ]
      Resource = local.arns.buckets
    }
    Code = { Action = ["s3:GetObject", "s3:GetObjectTagging"], Resource = local.arns.code }
    # Terraform asks whether a bucket is there, for which S3 wants the right to list it: names of objects, no contents.
    ListBuckets = { Action = ["s3:ListBucket"], Resource = local.arns.buckets }
    OpenCode = {
      Action    = ["kms:Decrypt"]
      Resource  = local.arns.keys
      Condition = { StringEquals = merge(local.tagged, { "kms:ViaService" = "s3.${local._region}.amazonaws.com" }) }
    }
    State      = { Action = ["s3:GetObject"], Resource = local.arns.state }
    StatePlace = { Action = ["s3:ListBucket"], Resource = local.arns.state_place }
    # The checksum of the state is beside its lock.
    StateSum = { Action = ["dynamodb:GetItem"], Resource = local.arns.locks, Condition = local.lock_keys }
    Tables = {
      Action   = ["dynamodb:DescribeContinuousBackups", "dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive", "dynamodb:ListTagsOfResource"]
      Resource = local.arns.tables
    }
    Keys = {
      Action    = ["kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListResourceTags"]
      Resource  = local.arns.keys
      Condition = { StringEquals = local.tagged }
    }
    # Also of AWS's own, of which a table may have one.
    AnyKey  = { Action = ["kms:DescribeKey"], Resource = local.arns.keys }
    Secrets = { Action = ["secretsmanager:DescribeSecret", "secretsmanager:GetResourcePolicy"], Resource = local.arns.secrets }
  }

  see_work = merge(local._see_computing, local._see_telling, local._see_everywhere)

  _see_computing = {
    Functions = {
      Action = [
        "lambda:GetAlias", "lambda:GetFunction", "lambda:GetFunctionCodeSigningConfig", "lambda:GetFunctionConfiguration", "lambda:GetFunctionEventInvokeConfig",
        "lambda:ListTags", "lambda:ListVersionsByFunction",
      ]
      Resource = local.arns.functions
    }
    Jobs       = { Action = ["glue:GetJob", "glue:GetTags"], Resource = local.arns.jobs }
    Catalog    = { Action = ["glue:GetDatabase", "glue:GetPartitionIndexes", "glue:GetTable", "glue:GetTags"], Resource = local.arns.catalog }
    Workgroups = { Action = ["athena:GetNamedQuery", "athena:GetWorkGroup", "athena:ListTagsForResource"], Resource = local.arns.workgroups }
    Streams    = { Action = ["firehose:DescribeDeliveryStream", "firehose:ListTagsForDeliveryStream"], Resource = local.arns.streams }
    Schedules  = { Action = ["scheduler:GetSchedule"], Resource = local.arns.schedules }
    Roles = {
      Action   = ["iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole", "iam:ListRolePolicies"]
      Resource = local.arns.roles
    }
  }

  _see_telling = {
    Topics     = { Action = ["sns:GetTopicAttributes", "sns:ListTagsForResource"], Resource = local.arns.topics }
    Queues     = { Action = ["sqs:GetQueueAttributes", "sqs:ListQueueTags"], Resource = local.arns.queues }
    Alarms     = { Action = ["cloudwatch:DescribeAlarms", "cloudwatch:ListTagsForResource"], Resource = local.arns.alarms }
    Dashboards = { Action = ["cloudwatch:GetDashboard"], Resource = local.arns.dashboards }
    Rules      = { Action = ["events:DescribeRule", "events:ListTagsForResource", "events:ListTargetsByRule"], Resource = local.arns.rules }
    Logs       = { Action = ["logs:DescribeLogStreams", "logs:ListTagsForResource"], Resource = flatten([for arn in local.arns.log_groups : [arn, "${arn}:*"]]) }
    Trails     = { Action = ["cloudtrail:GetEventSelectors", "cloudtrail:GetInsightSelectors", "cloudtrail:GetTrailStatus", "cloudtrail:ListTags"], Resource = local.arns.trails }
    Budgets    = { Action = ["budgets:ListTagsForResource", "budgets:ViewBudget"], Resource = local.arns.budgets }
    Anomalies  = { Action = ["ce:GetAnomalyMonitors", "ce:GetAnomalySubscriptions", "ce:ListTagsForResource"], Resource = local.arns.anomalies }
    Parameters = { Action = ["ssm:GetParameter", "ssm:GetParametersByPath", "ssm:ListTagsForResource"], Resource = local.arns.parameters }
  }

  # For these AWS knows no resource.
  _see_everywhere = {
    Lists = { Action = ["cloudtrail:DescribeTrails", "kms:ListAliases", "lakeformation:ListPermissions", "logs:DescribeLogGroups", "sns:GetSubscriptionAttributes", "ssm:DescribeParameters"], Resource = "*" }
  }
}
