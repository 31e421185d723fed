# Names are made here and nowhere else; those of a pipeline's resources in modules/pipeline_context.

locals {
  account_id = data.aws_caller_identity.current.account_id
  naming     = "${var.project}-%s-${var.environment}"
  # Bucket names are shared with the whole world: account and region make them this deployment's own.
  _bucket    = join("-", [coalesce(var.bucket_prefix, var.project), local.account_id, var.region, var.environment, "%s"])
  repository = "${path.module}/../.."
  contracts  = "${local.repository}/contracts"
  artifacts  = "${local.repository}/build/artifacts"
  parameter  = "/lake/${var.project}/${var.environment}"

  # What the modules take as `platform`.
  lake = {
    project          = var.project
    environment      = var.environment
    region           = var.region
    account_id       = local.account_id
    naming           = local.naming
    runbook          = "RUNBOOK.md#%s"
    bucket           = module.lake_bucket.bucket.name
    bucket_arn       = module.lake_bucket.bucket.arn
    key_arn          = aws_kms_key.lake.arn
    topic_arn        = aws_sns_topic.alerts.arn
    dead_letters_arn = aws_sqs_queue.dead_letters.arn
    artifacts        = "${local.artifacts}/platform"
    roles            = var.roles
  }
}
