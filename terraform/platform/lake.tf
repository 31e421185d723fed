# What every pipeline gets. Names are made here and nowhere else.

locals {
  naming     = "${var.project}-%s-${var.environment}"
  _bucket    = "${var.bucket_prefix}-${var.environment}-%s"
  repository = "${path.module}/../.."
  contracts  = "${local.repository}/contracts"
  artifacts  = "${local.repository}/build/artifacts"

  lake = {
    project     = var.project
    environment = var.environment
    region      = var.region
    account_id  = var.account_id
    naming      = local.naming

    bucket            = module.lake_bucket.bucket.name
    bucket_arn        = module.lake_bucket.bucket.arn
    key_arn           = aws_kms_key.lake.arn
    database          = aws_glue_catalog_database.lake.name
    ledger            = aws_dynamodb_table.ledger.name
    pseudonym_key_arn = aws_secretsmanager_secret.pseudonym_key.arn
    topic_arn         = aws_sns_topic.alerts.arn
    dead_letters_arn  = aws_sqs_queue.dead_letters.arn
    runs              = module.pipeline_runs.dataset
    wheel             = local.wheel

    contracts           = local.contracts
    quarantine_contract = "${local.contracts}/platform/quarantine.yaml"
    artifacts           = local.artifacts
    jobs                = "${local.repository}/glue_jobs"
  }
}
