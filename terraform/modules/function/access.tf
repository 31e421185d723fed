locals {
  _always = {
    Log = {
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = ["arn:aws:logs:${var.platform.region}:${var.platform.account_id}:log-group:/aws/lambda/${local.name}:*"]
    }
    UseKey = {
      Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource  = [var.platform.key_arn]
      Condition = { StringEquals = { "kms:ViaService" = [for service in ["lambda", "s3"] : "${service}.${var.platform.region}.amazonaws.com"] } }
    }
    SendDeadLetters = { Action = ["sqs:SendMessage"], Resource = [var.platform.dead_letters_arn] }
  }
  _with_writes = {
    # Reading back tells an object that is there already from a new one.
    WriteObjects = {
      Action   = ["s3:GetObject", "s3:PutObject"]
      Resource = [for dataset in var.writes : "${var.platform.bucket_arn}/${dataset.prefix}*"]
    }
    # Without the right to list, S3 answers 403 instead of 404 for an object that is not there.
    ListObjects = {
      Action    = ["s3:ListBucket"]
      Resource  = [var.platform.bucket_arn]
      Condition = { StringLike = { "s3:prefix" = [for dataset in var.writes : "${dataset.prefix}*"] } }
    }
  }
  _with_streams = {
    PutRecords = { Action = ["firehose:PutRecordBatch"], Resource = [for stream in var.streams : stream.arn] }
  }
}

module "role" {
  source     = "../role"
  name       = local.name
  service    = "lambda.amazonaws.com"
  account_id = var.platform.account_id
  roles      = var.platform.roles
  statements = merge(
    local._always,
    { for id, statement in local._with_writes : id => statement if length(var.writes) > 0 },
    { for id, statement in local._with_streams : id => statement if length(var.streams) > 0 },
    var.statements,
  )
}
