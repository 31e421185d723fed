# Where people, scripts and pipelines read the names: they follow from this root and are written nowhere else.

locals {
  platform = {
    project            = var.project
    environment        = var.environment
    region             = var.region
    account_id         = local.account_id
    lake_bucket        = module.lake_bucket.bucket.name
    results_bucket     = module.results_bucket.bucket.name
    logs_bucket        = module.logs_bucket.bucket.name
    database           = aws_glue_catalog_database.lake.name
    workgroup          = aws_athena_workgroup.analytics.name
    ledger             = aws_dynamodb_table.ledger.name
    pseudonym_key      = aws_secretsmanager_secret.pseudonym_key.name
    pseudonym_key_arn  = aws_secretsmanager_secret.pseudonym_key.arn
    key_readers        = local.key_readers
    repair_role        = module.quarantine_repair.role.arn
    key_role           = module.key_keeper.role.arn
    analyst_role       = module.analyst.role.arn
    analysts_workgroup = aws_athena_workgroup.analysts.name
    lake_formation     = var.lake_formation
    roles              = var.roles
    source_identity    = var.people_sessions.source_identity
    alerts             = aws_sns_topic.alerts.arn
    dead_letters       = aws_sqs_queue.dead_letters.url
    dead_letters_arn   = aws_sqs_queue.dead_letters.arn
    key_alias          = aws_kms_alias.lake.name
    key_arn            = aws_kms_key.lake.arn
    alerts_alias       = aws_kms_alias.alerts.name
    privacy_alias      = aws_kms_alias.privacy.name
    privacy_key_arn    = aws_kms_key.privacy.arn
    watch              = module.watch.function.name
    dashboard          = module.dashboard.dashboard.name
    runs               = { for key in ["name", "prefix", "uri"] : key => module.pipeline_runs.dataset[key] }
    code_bucket        = module.code_bucket.bucket.name
  }
}

resource "aws_ssm_parameter" "platform" {
  # A name may not begin with aws, as ours does.
  name        = local.parameter
  description = "Names of the platform's parts, as JSON."
  type        = "String"
  value       = jsonencode(local.platform)
}

output "platform" {
  description = "What people, scripts and pipelines need to know."
  value       = local.platform
}
