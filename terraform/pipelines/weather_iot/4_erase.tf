# Erasure of one subject, on demand. A job of its own: no other role may change raw or delete a version.

locals {
  _of_subjects = { for name, dataset in local._made : name => dataset if dataset.pseudonymised }
  _rejected    = { for name, dataset in local._of_subjects : "quarantine_${name}" => dataset.quarantine }
  _in_clear    = { for name in toset([for dataset in local._of_subjects : dataset.source]) : name => module.dataset[name].dataset }
  _aside       = ["set-aside/", "glue-temp/"]
  _with_lines  = concat([for dataset in local._in_clear : dataset.prefix], [module.iot_firehose.stream.errors], local._aside)
  _besides     = concat([module.iot_firehose.stream.errors, "staging/${local.pipeline}/"], local._aside)
  _ledger      = ["arn:aws:dynamodb:${local.platform.region}:${local.platform.account_id}:table/${local.platform.ledger}"]
  _anywhere    = concat([for dataset in merge(local._in_clear, local._of_subjects, local._rejected) : dataset.prefix], local._besides)
}

module "erase" {
  source          = "../../modules/glue_job"
  name            = "erase"
  script          = "erase.py"
  platform        = local.platform
  timeout_minutes = var.transform_timeout_minutes
  repairs         = false

  reads  = local._in_clear
  writes = merge(local._of_subjects, local._rejected, { pipeline_runs = local.platform.runs })

  statements = {
    ReadBesides = {
      Action   = ["s3:GetObject", "s3:GetObjectVersion"]
      Resource = [for prefix in local._besides : "${local.platform.bucket_arn}/${prefix}*"]
    }
    ListBesides = {
      Action    = ["s3:ListBucket", "s3:ListBucketVersions"]
      Resource  = [local.platform.bucket_arn]
      Condition = { StringLike = { "s3:prefix" = [for prefix in local._besides : "${prefix}*"] } }
    }
    EmptyLines = {
      Action   = ["s3:PutObject"]
      Resource = [for prefix in local._with_lines : "${local.platform.bucket_arn}/${prefix}*"]
    }
    DeleteVersions = {
      Action   = ["s3:DeleteObjectVersion"]
      Resource = [for prefix in local._anywhere : "${local.platform.bucket_arn}/${prefix}*"]
    }
    # The ledger's record of a run says less than what was erased from where.
    WriteAudit = {
      Action    = ["s3:PutObject"]
      Resource  = [for name in keys(local._of_subjects) : "${local.platform.bucket_arn}/ops/audits/${name}/*"]
      Condition = { Null = { "s3:if-none-match" = "false" } }
    }
    # An object that has got its new content is none any more that is getting it.
    SettleLedger = {
      Action    = ["dynamodb:DeleteItem"]
      Resource  = local._ledger
      Condition = { "ForAllValues:StringEquals" = { "dynamodb:LeadingKeys" = [for name in keys(local._of_subjects) : "dataset#${name}"] } }
    }
    # A refused message that was sent again stays one when its object gets other content.
    CarryOnRedelivered = {
      Action    = ["dynamodb:GetItem", "dynamodb:PutItem"]
      Resource  = local._ledger
      Condition = { "ForAllValues:StringEquals" = { "dynamodb:LeadingKeys" = ["stream#${module.iot_firehose.stream.name}"] } }
    }
  }
}
