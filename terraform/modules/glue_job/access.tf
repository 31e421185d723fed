locals {
  _objects = "${var.platform.bucket_arn}/"
  _catalog = "arn:aws:glue:${var.platform.region}:${var.platform.account_id}"
  _logs    = "arn:aws:logs:${var.platform.region}:${var.platform.account_id}:log-group"

  _read    = [for dataset in var.reads : dataset.prefix]
  _written = [for dataset in var.writes : dataset.prefix]
  _scratch = ["staging/${var.platform.pipeline}/", "glue-temp/${var.platform.pipeline}/"]
  _parents = ["staging", "staging/", "glue-temp", "glue-temp/"]
  _records = ["ops/manifests/"]
  _tables = [for dataset in merge(var.reads, var.writes) :
  "${local._catalog}:table/${var.platform.database}/${dataset.name}"]

  _on_objects = {
    ReadObjects = {
      Action   = ["s3:GetObject"]
      Resource = [for prefix in concat(local._read, local._written, local._scratch, local._records) : "${local._objects}${prefix}*"]
    }
    ReadCode = {
      Action   = ["s3:GetObject"]
      Resource = ["arn:aws:s3:::${var.platform.code_bucket}/jobs/${var.platform.pipeline}/*"]
    }
    WriteObjects = {
      Action   = ["s3:PutObject"]
      Resource = [for prefix in concat(local._written, local._scratch, local._records) : "${local._objects}${prefix}*"]
    }
    ListObjects = {
      Action   = ["s3:ListBucket"]
      Resource = [var.platform.bucket_arn]
      # With and without the slash: Spark asks for the folder both ways.
      Condition = { StringLike = { "s3:prefix" = flatten([
        local._parents,
        [for prefix in concat(local._read, local._written, local._scratch, local._records) : [trimsuffix(prefix, "/"), "${prefix}*"]],
      ]) } }
    }
    # What was rejected or replaced is found by the version that it was: to judge it again, to put it back.
    ReadVersions = {
      Action   = ["s3:GetObjectVersion"]
      Resource = [for prefix in concat(local._read, local._written, local._records) : "${local._objects}${prefix}*"]
    }
    ListVersions = {
      Action   = ["s3:ListBucketVersions"]
      Resource = [var.platform.bucket_arn]
      Condition = { StringLike = { "s3:prefix" = [
        for prefix in concat(local._read, local._written, local._records) : "${prefix}*"
      ] } }
    }
  }

  _on_services = {
    Partitions = {
      Action   = ["glue:BatchCreatePartition", "glue:GetTable"]
      Resource = concat(["${local._catalog}:catalog", "${local._catalog}:database/${var.platform.database}"], local._tables)
    }
    Ledger = {
      Action   = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"]
      Resource = ["arn:aws:dynamodb:${var.platform.region}:${var.platform.account_id}:table/${var.platform.ledger}"]
      Condition = { "ForAllValues:StringEquals" = { "dynamodb:LeadingKeys" = [
        for name in distinct(concat(keys(var.reads), keys(var.writes))) : "dataset#${name}"
      ] } }
    }
    PseudonymKey = { Action = ["secretsmanager:GetSecretValue"], Resource = [var.platform.pseudonym_key_arn] }
    OpenPseudonymKey = {
      Action    = ["kms:Decrypt"]
      Resource  = [var.platform.privacy_key_arn]
      Condition = { StringEquals = { "kms:ViaService" = "secretsmanager.${var.platform.region}.amazonaws.com" } }
    }
    UseKey = {
      Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource  = [var.platform.key_arn]
      Condition = { StringEquals = { "kms:ViaService" = [for service in ["dynamodb", "s3"] : "${service}.${var.platform.region}.amazonaws.com"] } }
    }
    Log = {
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = [for name in values(local.log_groups) : "${local._logs}:${name}:*"]
    }
    # Metrics have no ARN, so the namespace is the only fence there is.
    Metrics = {
      Action    = ["cloudwatch:PutMetricData"]
      Resource  = ["*"]
      Condition = { StringEquals = { "cloudwatch:namespace" = ["Glue", var.platform.project] } }
    }
  }

  _statements = merge(
    local._on_objects,
    { for id, statement in local._on_services : id => statement if local.encrypts || !endswith(id, "PseudonymKey") },
    var.statements,
  )
}

module "role" {
  source     = "../role"
  name       = local.name
  service    = "glue.amazonaws.com"
  account_id = var.platform.account_id
  roles      = var.platform.roles
  statements = local._statements
}
