# Everything hangs on it: a test compares the list with what there is.

module "destroy_guard" {
  source        = "../modules/destroy_guard"
  allow_destroy = var.allow_destroy
  environment   = var.environment
  depends_on = [
    aws_athena_workgroup.analysts,
    aws_athena_workgroup.analytics,
    aws_budgets_budget.monthly,
    aws_ce_anomaly_monitor.project,
    aws_ce_anomaly_subscription.project,
    aws_cloudtrail.audit,
    aws_dynamodb_table.ledger,
    aws_glue_catalog_database.lake,
    aws_kms_alias.alerts,
    aws_kms_alias.lake,
    aws_kms_alias.privacy,
    aws_kms_key.alerts,
    aws_kms_key.lake,
    aws_kms_key.privacy,
    aws_lakeformation_permissions.analyst,
    aws_s3_object.contract,
    aws_secretsmanager_secret.pseudonym_key,
    aws_secretsmanager_secret_policy.pseudonym_key,
    aws_sns_topic.alerts,
    aws_sns_topic.second,
    aws_sns_topic_policy.alerts,
    aws_sns_topic_policy.second,
    aws_sns_topic_subscription.alerts,
    aws_sns_topic_subscription.second,
    aws_sqs_queue.dead_letters,
    aws_sqs_queue_policy.dead_letters,
    aws_ssm_parameter.platform,
    module.alarm,
    module.analyst,
    module.code_bucket,
    module.dashboard,
    module.key_keeper,
    module.lake_bucket,
    module.logs_bucket,
    module.pipeline_runs,
    module.quarantine_repair,
    module.results_bucket,
    module.told_calls,
    module.watch,
    module.watch_schedule,
  ]
}

output "allow_destroy" {
  description = "Whether the first switch was applied."
  value       = module.destroy_guard.allow_destroy
}
