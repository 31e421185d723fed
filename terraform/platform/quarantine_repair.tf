# Who may look into a rejected record and repair it: a role that people assume. Nobody else reads the pseudonym key but the jobs.

locals {
  _repair_on_objects = {
    ReadQuarantine = {
      Action   = ["s3:GetObject"]
      Resource = ["${module.lake_bucket.bucket.arn}/quarantine/*", "${module.lake_bucket.bucket.arn}/staging/answers/*"]
    }
    ListQuarantine = {
      Action    = ["s3:ListBucket"]
      Resource  = [module.lake_bucket.bucket.arn]
      Condition = { StringLike = { "s3:prefix" = ["quarantine/*"] } }
    }
    # A correction is an object of its own beside the rejected one; nothing that arrived can be replaced.
    PutCorrection = {
      Action   = ["s3:PutObject"]
      Resource = ["${module.lake_bucket.bucket.arn}/raw/*/fixed-*.json"]
    }
  }

  _repair_on_services = {
    Names = {
      Action   = ["ssm:GetParameter"]
      Resource = [aws_ssm_parameter.platform.arn]
    }
    StartJob = {
      Action   = ["glue:StartJobRun", "glue:GetJobRun"]
      Resource = [for name in values(module.weather_iot.pipeline.jobs) : "arn:aws:glue:${var.region}:${var.account_id}:job/${name}"]
    }
    ReadLedger = {
      Action   = ["dynamodb:Query", "dynamodb:GetItem"]
      Resource = [aws_dynamodb_table.ledger.arn]
    }
    # Who opens a record says so first, and can say nothing else.
    WriteAudit = {
      Action    = ["dynamodb:PutItem"]
      Resource  = [aws_dynamodb_table.ledger.arn]
      Condition = { "ForAllValues:StringLike" = { "dynamodb:LeadingKeys" = ["audit#*"] } }
    }
    PseudonymKey = { Action = ["secretsmanager:GetSecretValue"], Resource = [aws_secretsmanager_secret.pseudonym_key.arn] }
    UseKey       = { Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = [aws_kms_key.lake.arn] }
  }
}

resource "aws_iam_role" "quarantine_repair" {
  name        = format(local.naming, "quarantine-repair")
  description = "Opens, fixes, replays and discards quarantined records"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { AWS = local._key_arn_owner }
    }]
  })
}

resource "aws_iam_role_policy" "quarantine_repair" {
  name = "access"
  role = aws_iam_role.quarantine_repair.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [for id, statement in merge(local._repair_on_objects, local._repair_on_services) :
    merge({ Sid = id, Effect = "Allow" }, statement)]
  })
}
