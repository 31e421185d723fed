# What the platform's repair role may do to the quarantined records of one pipeline. Every pipeline puts this policy onto the
# role, under the name of its registration: any other the platform takes away.

locals {
  _quarantine_prefixes = [for dataset in var.datasets : dataset.quarantine.prefix if dataset.quarantine != null]
  _raw                 = [for dataset in var.datasets : dataset.prefix if length(dataset.made_from) == 0]
  _ledger              = ["arn:aws:dynamodb:${var.platform.region}:${var.platform.account_id}:table/${var.platform.ledger}"]
  _datasets            = keys(var.datasets)

  _statements = {
    ReadQuarantine = {
      Action   = ["s3:GetObject"]
      Resource = [for prefix in concat(local._quarantine_prefixes, ["staging/${var.platform.pipeline}/answers/"]) : "${var.platform.bucket_arn}/${prefix}*"]
    }
    ListQuarantine = {
      Action    = ["s3:ListBucket"]
      Resource  = [var.platform.bucket_arn]
      Condition = { StringLike = { "s3:prefix" = [for prefix in local._quarantine_prefixes : "${prefix}*"] } }
    }
    # A correction is an object of its own beside the rejected one; nothing that arrived can be replaced.
    PutCorrection = {
      Action   = ["s3:PutObject"]
      Resource = [for prefix in local._raw : "${var.platform.bucket_arn}/${prefix}*/fixed-*.json"]
    }
    StartJob = {
      Action   = ["glue:StartJobRun", "glue:GetJobRun"]
      Resource = [for job in var.jobs : job.arn]
    }
    ReadLedger = {
      Action    = ["dynamodb:Query"]
      Resource  = local._ledger
      Condition = { "ForAllValues:StringEquals" = { "dynamodb:LeadingKeys" = [for name in local._datasets : "dataset#${name}"] } }
    }
    # Who opens a record says so first. The condition makes it an object that is new: no earlier audit can be replaced.
    WriteAudit = {
      Action    = ["s3:PutObject"]
      Resource  = [for name in local._datasets : "${var.platform.bucket_arn}/ops/audits/${name}/*"]
      Condition = { Null = { "s3:if-none-match" = "false" } }
    }
  }
}

resource "aws_iam_role_policy" "this" {
  name = var.platform.pipeline
  role = reverse(split("/", var.platform.repair_role))[0]
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [for id, statement in local._statements : merge({ Sid = id, Effect = "Allow" }, statement) if length(statement.Resource) > 0]
  })
}
