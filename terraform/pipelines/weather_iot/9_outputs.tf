# What others need to know of the pipeline: monitor, report, cost and the commands of `lake` read it from the parameter.

locals {
  registered = {
    functions = {
      batch_ingest    = module.batch_ingest.function.name
      stream_generate = module.stream_generate.function.name
      stream_validate = module.stream_validate.function.name
    }
    streams = { iot_firehose = module.iot_firehose.stream.name }
    jobs    = { transform = module.transform.job.name }
    # Jobs that are started by hand.
    operations = { erase = module.erase.job.name, repairs = module.transform.job.repairs.name }
    # Dataset => the job that repairs it.
    repairs  = { for name in module.transform.job.writes : name => module.transform.job.repairs.name if contains(keys(module.dataset), name) }
    datasets = { for name, dataset in module.dataset : name => dataset.dataset.uri }
    freshness = { for name, dataset in module.dataset : name => dataset.dataset.freshness_seconds
    if dataset.dataset.freshness_seconds != null }
    alarms = [for alarm in module.alarm : alarm.alarm.name]
  }
}

resource "aws_ssm_parameter" "pipeline" {
  name        = local.platform.registration
  description = "Names of the pipeline's parts, as JSON."
  type        = "String"
  value       = jsonencode(merge(local.registered, { dashboard = module.dashboard.dashboard.name }))
  # The platform's repair role must have the policies of all that are registered, and no other.
  depends_on = [module.repair_access]
}

# Everything hangs on it: a test compares the list with what there is.
module "destroy_guard" {
  source        = "../../modules/destroy_guard"
  allow_destroy = var.allow_destroy
  environment   = var.environment
  depends_on = [
    aws_s3_object.contract,
    aws_ssm_parameter.pipeline,
    module.alarm,
    module.batch_ingest,
    module.dashboard,
    module.dataset,
    module.erase,
    module.function_schedule,
    module.iot_firehose,
    module.job_failures,
    module.repair_access,
    module.stream_generate,
    module.stream_validate,
    module.transform,
    module.transform_schedule,
  ]
}

output "pipeline" {
  description = "Names of the pipeline's parts, and how many seconds old its datasets may get."
  value       = merge(local.registered, { dashboard = module.dashboard.dashboard.name })
}

output "allow_destroy" {
  description = "Whether the first switch was applied."
  value       = module.destroy_guard.allow_destroy
}
