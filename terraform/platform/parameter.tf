# Where people and scripts read the names: they follow from this module and are written nowhere else.

locals {
  platform = {
    lake_bucket    = module.lake_bucket.bucket.name
    results_bucket = module.results_bucket.bucket.name
    logs_bucket    = module.logs_bucket.bucket.name
    database       = aws_glue_catalog_database.lake.name
    workgroup      = aws_athena_workgroup.analytics.name
    ledger         = aws_dynamodb_table.ledger.name
    pseudonym_key  = aws_secretsmanager_secret.pseudonym_key.name
    repair_role    = aws_iam_role.quarantine_repair.arn
    alerts         = aws_sns_topic.alerts.arn
    dead_letters   = aws_sqs_queue.dead_letters.url
    key_alias      = aws_kms_alias.lake.name
    alerts_alias   = aws_kms_alias.alerts.name
    watch          = module.watch.function.name
    dashboard      = aws_cloudwatch_dashboard.lake.dashboard_name
    runs           = module.pipeline_runs.dataset.uri
    weather_iot    = module.weather_iot.pipeline
  }
}

resource "aws_ssm_parameter" "platform" {
  # A name may not begin with aws, as ours does.
  name        = "/lake/${var.project}/${var.environment}"
  description = "Names of the platform's parts, as JSON."
  type        = "String"
  value       = jsonencode(local.platform)
}
