output "function" {
  description = "The function, usable once its failures have a destination; the ARN is that of its live version."
  value = {
    name            = local.name
    arn             = "${local.arn}:${aws_lambda_alias.live.name}"
    log_group       = aws_cloudwatch_log_group.this.name
    timeout_seconds = var.limits.timeout_seconds
    metric          = { namespace = "AWS/Lambda", dimensions = { FunctionName = local.name } }
  }
  depends_on = [aws_lambda_alias.live, aws_lambda_function_event_invoke_config.this]
}
