# Deleting the environment, data included. The role is there only where allow_destroy is.

locals {
  destroy_places = {
    Buckets = {
      Action   = ["s3:DeleteBucket", "s3:DeleteBucketPolicy", "s3:ListBucket", "s3:ListBucketVersions", "s3:PutBucket*", "s3:PutEncryptionConfiguration", "s3:PutLifecycleConfiguration"]
      Resource = local.arns.buckets
    }
    Objects = { Action = ["s3:DeleteObject", "s3:DeleteObjectVersion"], Resource = local.arns.objects }
    Tables  = { Action = ["dynamodb:DeleteTable"], Resource = local.arns.tables }
    Secrets = { Action = ["secretsmanager:DeleteResourcePolicy", "secretsmanager:DeleteSecret"], Resource = local.arns.secrets }
    Keys    = { Action = ["kms:DeleteAlias", "kms:ScheduleKeyDeletion"], Resource = local.arns.keys, Condition = { StringEquals = local.tagged } }
    Aliases = { Action = ["kms:DeleteAlias"], Resource = local.arns.aliases }
  }

  destroy_work = {
    Functions     = { Action = ["lambda:DeleteAlias", "lambda:DeleteFunction", "lambda:DeleteFunctionEventInvokeConfig"], Resource = local.arns.functions }
    Jobs          = { Action = ["glue:DeleteJob"], Resource = local.arns.jobs }
    Catalog       = { Action = ["glue:DeleteDatabase", "glue:DeleteTable", "glue:GetTables"], Resource = local.arns.catalog }
    Workgroups    = { Action = ["athena:DeleteNamedQuery", "athena:DeleteWorkGroup"], Resource = local.arns.workgroups }
    Grants        = { Action = ["lakeformation:RevokePermissions"], Resource = "*" }
    Streams       = { Action = ["firehose:DeleteDeliveryStream"], Resource = local.arns.streams }
    Schedules     = { Action = ["scheduler:DeleteSchedule"], Resource = local.arns.schedules }
    Topics        = { Action = ["sns:DeleteTopic", "sns:SetTopicAttributes"], Resource = local.arns.topics }
    Subscriptions = { Action = ["sns:Unsubscribe"], Resource = "*" }
    Queues        = { Action = ["sqs:DeleteQueue", "sqs:SetQueueAttributes"], Resource = local.arns.queues }
    Alarms        = { Action = ["cloudwatch:DeleteAlarms"], Resource = local.arns.alarms }
    Dashboards    = { Action = ["cloudwatch:DeleteDashboards"], Resource = local.arns.dashboards }
    Rules         = { Action = ["events:DeleteRule", "events:RemoveTargets"], Resource = local.arns.rules }
    Trails        = { Action = ["cloudtrail:DeleteTrail", "cloudtrail:StopLogging"], Resource = local.arns.trails }
    Logs          = { Action = ["logs:DeleteLogGroup", "logs:DeleteLogStream"], Resource = flatten([for arn in local.arns.log_groups : [arn, "${arn}:*"]]) }
    Parameters    = { Action = ["ssm:DeleteParameter"], Resource = local.arns.parameters }
    Budgets       = { Action = ["budgets:ModifyBudget"], Resource = local.arns.budgets }
    Anomalies     = { Action = ["ce:DeleteAnomalyMonitor", "ce:DeleteAnomalySubscription"], Resource = local.arns.anomalies, Condition = { StringEquals = local.tagged } }
    Roles         = { Action = ["iam:DeleteRole", "iam:DeleteRolePolicy", "iam:DetachRolePolicy"], Resource = local.arns.roles }
  }
}
