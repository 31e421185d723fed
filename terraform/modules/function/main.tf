# A Lambda function. What it may touch follows from `writes` and `streams`, and from `statements` where those do not say it.

locals {
  name    = format(var.platform.naming, var.name)
  arn     = "arn:aws:lambda:${var.platform.region}:${var.platform.account_id}:function:${local.name}"
  package = "${var.platform.artifacts}/${replace(var.name, "-", "_")}.zip"
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${local.name}"
  retention_in_days = 14
  kms_key_id        = var.platform.key_arn
}

resource "aws_lambda_function" "this" {
  function_name = local.name
  role          = module.role.role.arn
  runtime       = "python3.13"
  handler       = "handler.handler"
  timeout       = var.limits.timeout_seconds
  memory_size   = var.limits.memory_mb
  kms_key_arn   = var.platform.key_arn

  # A published version never changes, and stays: who calls goes through the alias, which is the one switch.
  publish          = true
  filename         = local.package
  source_code_hash = filebase64sha256(local.package)

  # Without a number none is reserved: a new account's quota is 10, and all of it must stay unreserved.
  reserved_concurrent_executions = coalesce(var.limits.concurrency, -1)

  environment {
    variables = merge(
      { ENVIRONMENT = var.platform.environment },
      { for key, value in { WRITES = jsonencode({ for name, dataset in var.writes : name => dataset.uri }) } :
      key => value if length(var.writes) > 0 },
      var.variables,
    )
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.this.name
  }
}

resource "aws_lambda_alias" "live" {
  name             = "live"
  description      = "What schedules, streams and people call."
  function_name    = aws_lambda_function.this.function_name
  function_version = aws_lambda_function.this.version
}

resource "aws_lambda_function_event_invoke_config" "this" {
  function_name                = aws_lambda_function.this.function_name
  qualifier                    = aws_lambda_alias.live.name
  maximum_event_age_in_seconds = 3600
  maximum_retry_attempts       = 2

  destination_config {
    on_failure {
      destination = var.platform.dead_letters_arn
    }
  }
}
