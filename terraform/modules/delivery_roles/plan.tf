# Who plans is a workflow of a pull request, which runs what the pull request says: no write of any kind.

locals {
  plan = {
    NoChange = {
      Effect = "Deny"
      Action = [
        "athena:Create*", "athena:Delete*", "athena:Update*", "budgets:Modify*", "ce:Create*", "ce:Delete*", "ce:Update*", "cloudtrail:Add*", "cloudtrail:Create*", "cloudtrail:Delete*",
        "cloudtrail:Put*", "cloudtrail:Remove*", "cloudtrail:Start*", "cloudtrail:Stop*", "cloudtrail:Update*", "cloudwatch:Delete*", "cloudwatch:Put*", "dynamodb:Create*",
        "dynamodb:Delete*", "dynamodb:Put*", "dynamodb:Update*", "events:Delete*", "events:Put*", "firehose:Create*",
        "firehose:Delete*", "firehose:Put*", "firehose:Update*", "glue:Batch*", "glue:Create*", "glue:Delete*", "glue:Start*",
        "glue:Update*", "iam:Add*", "iam:Attach*", "iam:Create*", "iam:Delete*", "iam:Pass*", "iam:Put*", "iam:Tag*",
        "iam:Update*", "kms:Create*", "kms:Disable*", "kms:Encrypt", "kms:GenerateDataKey*", "kms:Put*", "kms:Schedule*",
        "lambda:Add*", "lambda:Create*", "lambda:Delete*", "lambda:Invoke*", "lambda:Put*", "lambda:Update*", "logs:Create*",
        "logs:Delete*", "logs:Put*", "s3:Create*", "s3:Delete*", "s3:Put*", "scheduler:Create*", "scheduler:Delete*",
        "scheduler:Update*", "secretsmanager:Create*", "secretsmanager:Delete*", "secretsmanager:Put*",
        "secretsmanager:Update*", "sns:Publish", "sns:Set*", "sns:Subscribe", "sqs:Delete*", "sqs:Purge*", "sqs:Receive*",
        "sqs:Send*", "sqs:Set*", "ssm:Delete*", "ssm:Put*", "ssm:Send*", "ssm:Start*",
      ]
      Resource = "*"
    }
  }
}
