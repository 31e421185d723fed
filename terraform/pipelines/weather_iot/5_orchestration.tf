# What runs when.

locals {
  # The scheduler puts the planned time here, so a retry works on the same period as the first try.
  _planned_time = { time = "<aws.scheduler.scheduled-time>" }

  _functions = {
    batch-ingest    = { expression = var.batch_schedule, arn = module.batch_ingest.function.arn }
    stream-generate = { expression = var.stream_schedule, arn = module.stream_generate.function.arn }
  }
}

module "function_schedule" {
  source     = "../../modules/schedule"
  for_each   = local._functions
  name       = each.key
  platform   = local.platform
  expression = each.value.expression
  target = {
    arn      = each.value.arn
    input    = local._planned_time
    action   = "lambda:InvokeFunction"
    resource = each.value.arn
  }
}

module "transform_schedule" {
  source     = "../../modules/schedule"
  name       = "transform"
  platform   = local.platform
  expression = var.transform_schedule
  target = {
    arn      = "arn:aws:scheduler:::aws-sdk:glue:startJobRun"
    input    = { JobName = module.transform.job.name }
    action   = "glue:StartJobRun"
    resource = module.transform.job.arn
  }
}
