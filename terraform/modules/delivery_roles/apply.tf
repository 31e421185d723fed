# Making and changing what the environment is made of, and deleting what holds no data.

locals {
  make_places = {
    Buckets = {
      Action   = ["s3:CreateBucket", "s3:PutBucket*", "s3:PutEncryptionConfiguration", "s3:PutLifecycleConfiguration", "s3:DeleteBucketPolicy"]
      Resource = local.arns.buckets
    }
    # A package of another name replaces the one of before, with its versions.
    Code         = { Action = ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObject", "s3:PutObjectTagging"], Resource = local.arns.code }
    CodeVersions = { Action = ["s3:ListBucketVersions"], Resource = local.arns.buckets }
    Tables = {
      Action   = ["dynamodb:CreateTable", "dynamodb:TagResource", "dynamodb:UntagResource", "dynamodb:UpdateContinuousBackups", "dynamodb:UpdateTable"]
      Resource = local.arns.tables
    }
    # The first version of the pseudonym key is written, never read: lake keys init.
    Secrets = {
      Action = [
        "secretsmanager:CreateSecret", "secretsmanager:DeleteResourcePolicy", "secretsmanager:ListSecretVersionIds",
        "secretsmanager:PutResourcePolicy", "secretsmanager:PutSecretValue", "secretsmanager:TagResource",
        "secretsmanager:UntagResource", "secretsmanager:UpdateSecret",
      ]
      Resource = local.arns.secrets
    }
    # A trail that is there is ended by the role that destroys.
    Trails = { Action = ["cloudtrail:AddTags", "cloudtrail:CreateTrail", "cloudtrail:PutEventSelectors", "cloudtrail:RemoveTags", "cloudtrail:StartLogging", "cloudtrail:UpdateTrail"], Resource = local.arns.trails }
  }

  make_work = merge(local._make_computing, local._make_telling)

  _make_computing = {
    Functions = {
      Action = [
        "lambda:CreateAlias", "lambda:CreateFunction", "lambda:DeleteAlias", "lambda:DeleteFunction", "lambda:DeleteFunctionConcurrency", "lambda:DeleteFunctionEventInvokeConfig",
        "lambda:PublishVersion", "lambda:PutFunctionConcurrency", "lambda:PutFunctionEventInvokeConfig", "lambda:TagResource", "lambda:UntagResource", "lambda:UpdateAlias",
        "lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration", "lambda:UpdateFunctionEventInvokeConfig",
      ]
      Resource = local.arns.functions
    }
    Jobs    = { Action = ["glue:CreateJob", "glue:DeleteJob", "glue:TagResource", "glue:UntagResource", "glue:UpdateJob"], Resource = local.arns.jobs }
    Catalog = { Action = ["glue:CreateDatabase", "glue:CreateTable", "glue:DeleteTable", "glue:TagResource", "glue:UpdateDatabase", "glue:UpdateTable"], Resource = local.arns.catalog }
    # AWS knows no resource for these. Who grants must be an administrator of Lake Formation besides.
    Grants     = { Action = ["lakeformation:GrantPermissions", "lakeformation:RevokePermissions"], Resource = "*" }
    Workgroups = { Action = ["athena:CreateNamedQuery", "athena:CreateWorkGroup", "athena:DeleteNamedQuery", "athena:TagResource", "athena:UntagResource", "athena:UpdateWorkGroup"], Resource = local.arns.workgroups }
    Streams = {
      Action = [
        "firehose:CreateDeliveryStream", "firehose:StartDeliveryStreamEncryption", "firehose:TagDeliveryStream",
        "firehose:UntagDeliveryStream", "firehose:UpdateDestination",
      ]
      Resource = local.arns.streams
    }
    Schedules = { Action = ["scheduler:CreateSchedule", "scheduler:DeleteSchedule", "scheduler:UpdateSchedule"], Resource = local.arns.schedules }
  }

  _make_telling = {
    Topics = {
      Action   = ["sns:CreateTopic", "sns:SetTopicAttributes", "sns:Subscribe", "sns:TagResource", "sns:UntagResource"]
      Resource = local.arns.topics
    }
    # AWS knows no resource for these.
    Subscriptions = { Action = ["sns:SetSubscriptionAttributes", "sns:Unsubscribe"], Resource = "*" }
    Queues        = { Action = ["sqs:CreateQueue", "sqs:SetQueueAttributes", "sqs:TagQueue", "sqs:UntagQueue"], Resource = local.arns.queues }
    Alarms        = { Action = ["cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm", "cloudwatch:TagResource", "cloudwatch:UntagResource"], Resource = local.arns.alarms }
    Dashboards    = { Action = ["cloudwatch:DeleteDashboards", "cloudwatch:PutDashboard"], Resource = local.arns.dashboards }
    Rules         = { Action = ["events:DeleteRule", "events:PutRule", "events:PutTargets", "events:RemoveTargets", "events:TagResource", "events:UntagResource"], Resource = local.arns.rules }
    Logs = {
      Action = [
        "logs:AssociateKmsKey", "logs:CreateLogGroup", "logs:CreateLogStream", "logs:DeleteLogGroup", "logs:DeleteLogStream",
        "logs:PutRetentionPolicy", "logs:TagResource", "logs:UntagResource",
      ]
      Resource = flatten([for arn in local.arns.log_groups : [arn, "${arn}:*"]])
    }
    Budgets = { Action = ["budgets:ModifyBudget", "budgets:TagResource", "budgets:UntagResource"], Resource = local.arns.budgets }
    NewAnomalies = {
      Action    = ["ce:CreateAnomalyMonitor", "ce:CreateAnomalySubscription", "ce:TagResource"]
      Resource  = local.arns.anomalies
      Condition = { StringEquals = local.to_be }
    }
    Anomalies = {
      Action    = ["ce:DeleteAnomalyMonitor", "ce:DeleteAnomalySubscription", "ce:UntagResource", "ce:UpdateAnomalyMonitor", "ce:UpdateAnomalySubscription"]
      Resource  = local.arns.anomalies
      Condition = { StringEquals = local.tagged }
    }
    Parameters = { Action = ["ssm:AddTagsToResource", "ssm:DeleteParameter", "ssm:PutParameter", "ssm:RemoveTagsFromResource"], Resource = local.arns.parameters }
  }

  # A replaced bucket, key, table, secret or stream has lost what was in it. Destroying has a role of its own.
  keep = {
    KeepData = {
      Effect = "Deny"
      Action = [
        "athena:DeleteWorkGroup", "dynamodb:DeleteTable", "firehose:DeleteDeliveryStream", "glue:DeleteDatabase",
        "kms:DisableKey", "kms:ScheduleKeyDeletion", "s3:DeleteBucket", "secretsmanager:DeleteSecret",
      ]
      Resource = "*"
    }
  }
}
