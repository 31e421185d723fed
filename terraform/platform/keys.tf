locals {
  _key_arn_owner = "arn:aws:iam::${local.account_id}:root"
  _use_key       = ["kms:Decrypt", "kms:GenerateDataKey*"]

  _account_decides = {
    Sid       = "PoliciesOfTheAccountDecide"
    Effect    = "Allow"
    Principal = { AWS = local._key_arn_owner }
    Action    = "kms:*"
    Resource  = "*"
  }
  _logs_use_key = {
    Sid       = "Logs"
    Effect    = "Allow"
    Principal = { Service = "logs.${var.region}.amazonaws.com" }
    Action    = ["kms:Decrypt*", "kms:DescribeKey", "kms:Encrypt*", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
    Resource  = "*"
    Condition = { ArnLike = {
      "kms:EncryptionContext:aws:logs:arn" = "arn:aws:logs:${var.region}:${local.account_id}:log-group:*"
    } }
  }
}

resource "aws_kms_key" "lake" {
  description             = "Data and logs of ${var.project} ${var.environment}"
  enable_key_rotation     = true
  deletion_window_in_days = var.allow_destroy ? 7 : 30
  policy                  = local._key_policy
}

resource "aws_kms_alias" "alerts" {
  name          = "alias/${format(local.naming, "alerts")}"
  target_key_id = aws_kms_key.alerts.key_id
}

resource "aws_kms_alias" "lake" {
  name          = "alias/${format(local.naming, "datalake")}"
  target_key_id = aws_kms_key.lake.key_id
}

locals {
  # Lambda, Glue, Firehose and S3 use the key with the rights of a role or by a grant, so the role's policy decides; it is
  # the services that use it in their own name that must be listed here.
  _key_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [local._account_decides, local._logs_use_key]
  })
}

# A key for what says that something is wrong, so that it can also say that the other key is not usable.
resource "aws_kms_key" "alerts" {
  description             = "Alarms of ${var.project} ${var.environment} and the function that measures for them"
  enable_key_rotation     = true
  deletion_window_in_days = var.allow_destroy ? 7 : 30
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      local._account_decides,
      local._logs_use_key,
      {
        # To publish to the encrypted topic. EventBridge sends no source keys here: a condition would lose the messages.
        Sid       = "Alerts"
        Effect    = "Allow"
        Principal = { Service = ["cloudwatch.amazonaws.com", "events.amazonaws.com"] }
        Action    = local._use_key
        Resource  = "*"
      },
      {
        Sid       = "Trail"
        Effect    = "Allow"
        Principal = { Service = "cloudtrail.amazonaws.com" }
        Action    = ["kms:DescribeKey", "kms:GenerateDataKey*"]
        Resource  = "*"
        Condition = { StringEquals = { "aws:SourceArn" = local._trail_arn } }
      },
    ]
  })
}
