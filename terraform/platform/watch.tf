# What nothing says about itself: how old data is, how long locks are held, whether keys can be used. A function looks.

locals {
  # Every raw dataset whose contract promises a freshness: the function may list these folders and no others.
  _promising = [for contract in local._contracts : contract.schema[0]
  if anytrue([for rule in contract.slaProperties : rule.property == "freshness"])]
  _raw_folders = [for dataset in local._promising : "${dataset.physicalName}/" if startswith(dataset.physicalName, "raw/")]

  # Which datasets there are it reads from what the pipelines have registered, each time that it looks.
  watched = {
    pipelines = "${local.parameter}/pipelines"
    ledger    = aws_dynamodb_table.ledger.name
    topic     = aws_sns_topic.alerts.arn
    keys      = [aws_kms_key.lake.arn, aws_kms_key.alerts.arn, aws_kms_key.privacy.arn]
  }
}

module "watch" {
  source = "../modules/function"
  name   = "watch"
  limits = { timeout_seconds = 60, concurrency = lookup(var.reserved_concurrency, "watch", null) }

  # Not the lake's key: the function has to say that it cannot be used.
  platform = merge(local.lake, { key_arn = aws_kms_key.alerts.arn })

  variables = {
    METRICS_NAMESPACE = var.project
    WATCHED           = jsonencode(local.watched)
  }

  statements = {
    ListRaw = {
      Action    = ["s3:ListBucket"]
      Resource  = [module.lake_bucket.bucket.arn]
      Condition = { StringLike = { "s3:prefix" = [for prefix in local._raw_folders : "${prefix}*"] } }
    }
    FindPipelines = {
      Action = ["ssm:GetParametersByPath"]
      Resource = [for name in ["", "/*"] :
      "arn:aws:ssm:${var.region}:${local.account_id}:parameter${local.watched.pipelines}${name}"]
    }
    ReadLocks = { Action = ["dynamodb:GetItem"], Resource = [aws_dynamodb_table.ledger.arn] }
    # The table is encrypted with it.
    UseLakeKey = {
      Action    = ["kms:Decrypt"]
      Resource  = [aws_kms_key.lake.arn]
      Condition = { StringEquals = { "kms:ViaService" = "dynamodb.${var.region}.amazonaws.com" } }
    }
    SeeTopic = { Action = ["sns:GetTopicAttributes"], Resource = [aws_sns_topic.alerts.arn] }
    SeeKeys  = { Action = ["kms:DescribeKey"], Resource = local.watched.keys }
  }
}

module "watch_schedule" {
  source     = "../modules/schedule"
  name       = "watch"
  platform   = local.lake
  expression = "rate(5 minutes)"
  target = {
    arn      = module.watch.function.arn
    input    = {}
    action   = "lambda:InvokeFunction"
    resource = module.watch.function.arn
  }
}
