# What people are told of. Each alarm has the section of its name in docs/runbooks/weather_iot.md.

locals {
  _stream = { namespace = "AWS/Firehose", dimensions = { DeliveryStreamName = module.iot_firehose.stream.name } }
  _runs   = { namespace = local.platform.project, dimensions = { Environment = local.platform.environment, Pipeline = local.pipeline } }

  _functions_that_land = {
    batch-ingest    = { function = module.batch_ingest.function, loss = "No new weather, or not of every city" }
    stream-generate = { function = module.stream_generate.function, loss = "Sensor messages are missing" }
  }

  alarms = merge(local._function_alarms, local._stream_alarms, local._freshness_alarms, local._job_alarms, local._run_alarms)

  _function_alarms = merge([for name, landing in local._functions_that_land : {
    "${name}-errors" = {
      description = "${landing.loss}: an invocation of ${name} failed."
      metric      = merge(landing.function.metric, { name = "Errors", statistic = "Sum" })
      evaluation  = { threshold = 0 }
    }
    "${name}-duration" = {
      description = "Invocations of ${name} will soon be cut off: one took more than four fifths of the timeout."
      metric      = merge(landing.function.metric, { name = "Duration", statistic = "Maximum" })
      evaluation  = { threshold = 0.8 * 1000 * landing.function.timeout_seconds }
    }
    "${name}-throttles" = {
      description = "${landing.loss}, or late: more invocations of ${name} at once than it may have."
      metric      = merge(landing.function.metric, { name = "Throttles", statistic = "Sum" })
      evaluation  = { threshold = 0 }
    }
  }]...)

  _stream_alarms = {
    stream-validate-errors = {
      description = "Sensor messages wait, then go to firehose-errors/ unread: an invocation of stream-validate failed."
      metric      = merge(module.stream_validate.function.metric, { name = "Errors", statistic = "Sum" })
      evaluation  = { threshold = 0 }
    }
    firehose-refused-records = {
      description = "Messages that are not one JSON object each were refused and kept under firehose-errors/."
      metric = {
        namespace  = local.platform.project
        name       = "RecordsRefused"
        dimensions = { Environment = local.platform.environment, DeliveryStreamName = module.iot_firehose.stream.name }
        statistic  = "Sum"
      }
      evaluation = { threshold = 0 }
    }
    firehose-freshness = {
      description = "Sensor messages wait for delivery: the oldest is more than five minutes old."
      metric      = merge(local._stream, { name = "DeliveryToS3.DataFreshness", statistic = "Maximum" })
      evaluation  = { threshold = 300 }
    }
    firehose-delivery = {
      description = "Sensor messages could not be stored: an attempt of the delivery stream failed."
      metric      = merge(local._stream, { name = "DeliveryToS3.Success", statistic = "Average" })
      evaluation  = { comparison = "LessThanThreshold", threshold = 1 }
    }
  }

  _freshness_alarms = { for name, dataset in module.dataset : "${replace(name, "_", "-")}-freshness" => {
    description = "${name} is older than its contract promises: ${dataset.dataset.freshness_seconds / 60} minutes."
    metric = {
      namespace  = local.platform.project
      name       = "Freshness"
      dimensions = { Environment = local.platform.environment, Dataset = name }
      statistic  = "Maximum"
    }
    evaluation = { threshold = dataset.dataset.freshness_seconds }
  } if dataset.dataset.freshness_seconds != null }

  # Of one run. The dashboard draws it too.
  highest_quarantine_ratio = 0.05

  # Every job, also one that is started by hand.
  _jobs = {
    transform = { job = module.transform.job, loss = "Curated data is getting old" }
    erase     = { job = module.erase.job, loss = "Somebody who asked to be erased still is in the lake" }
  }
  _job_alarms = { for name, watched in local._jobs : "glue-${name}-failures" => {
    description = "${watched.loss}: a run of the ${name} job failed, timed out or was stopped."
    metric      = module.job_failures[name].metric
    evaluation  = { threshold = 0 }
  } }

  _run_alarms = {
    quarantine-ratio = {
      description = "More than ${local.highest_quarantine_ratio * 100} % of the records of a run broke a rule and are in quarantine."
      metric      = merge(local._runs, { name = "QuarantineRatio", statistic = "Maximum" })
      evaluation  = { threshold = local.highest_quarantine_ratio }
    }
    schema-drift = {
      description = "Records have fields that are not those of the contract."
      metric      = merge(local._runs, { name = "SchemaDrift", statistic = "Maximum" })
      evaluation  = { threshold = 0 }
    }
    reconciliation = {
      description = "Records of a run are missing or too many; the run has published nothing."
      metric      = merge(local._runs, { name = "RecordsUnreconciled", statistic = "Maximum" })
      evaluation  = { threshold = 0 }
    }
  }
}

module "alarm" {
  source      = "../../modules/alarm"
  for_each    = local.alarms
  name        = each.key
  description = each.value.description
  metric      = each.value.metric
  evaluation  = each.value.evaluation
  platform    = local.platform
}

module "job_failures" {
  source   = "../../modules/job_failures"
  for_each = local._jobs
  name     = "glue-${each.key}-failures"
  job      = each.value.job
  platform = local.platform
}
