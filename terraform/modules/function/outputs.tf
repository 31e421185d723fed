output "function" {
  description = "The function, usable once its failures have a destination."
  value = {
    name            = local.name
    arn             = local.arn
    log_group       = aws_cloudwatch_log_group.this.name
    timeout_seconds = var.limits.timeout_seconds
    metric          = { namespace = "AWS/Lambda", dimensions = { FunctionName = local.name } }
  }
  depends_on = [aws_lambda_function.this, aws_lambda_function_event_invoke_config.this]
}
