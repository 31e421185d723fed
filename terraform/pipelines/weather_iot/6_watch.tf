# What people are told of. Each alarm has the section of its name in RUNBOOK.md.

locals {
  _stream = { namespace = "AWS/Firehose", dimensions = { DeliveryStreamName = module.iot_firehose.stream.name } }
  _runs   = { namespace = var.lake.project, dimensions = { Environment = var.lake.environment, Pipeline = "weather_iot" } }

  _functions_that_land = {
    batch-ingest    = { function = module.batch_ingest.function, loss = "No new weather, or not of every city" }
    stream-generate = { function = module.stream_generate.function, loss = "Sensor messages are missing" }
  }

  alarms = merge(local._function_alarms, local._stream_alarms, local._freshness_alarms, local._run_alarms)

  _function_alarms = merge([for name, landing in local._functions_that_land : {
    "${name}-errors" = {
      meaning = "${landing.loss}: an invocation of ${name} failed."
      metric  = merge(landing.function.metric, { name = "Errors", statistic = "Sum" })
      breach  = { threshold = 0 }
    }
    "${name}-duration" = {
      meaning = "Invocations of ${name} will soon be cut off: one took more than four fifths of the timeout."
      metric  = merge(landing.function.metric, { name = "Duration", statistic = "Maximum" })
      breach  = { threshold = 0.8 * 1000 * landing.function.timeout_seconds }
    }
    "${name}-throttles" = {
      meaning = "${landing.loss}, or late: more invocations of ${name} at once than it may have."
      metric  = merge(landing.function.metric, { name = "Throttles", statistic = "Sum" })
      breach  = { threshold = 0 }
    }
  }]...)

  _stream_alarms = {
    stream-validate-errors = {
      meaning = "Sensor messages wait, then go to firehose-errors/ unread: an invocation of stream-validate failed."
      metric  = merge(module.stream_validate.function.metric, { name = "Errors", statistic = "Sum" })
      breach  = { threshold = 0 }
    }
    firehose-refused-records = {
      meaning = "Messages that are not one JSON object each were refused and kept under firehose-errors/."
      metric = {
        namespace  = var.lake.project
        name       = "RecordsRefused"
        dimensions = { Environment = var.lake.environment, DeliveryStreamName = module.iot_firehose.stream.name }
        statistic  = "Sum"
      }
      breach = { threshold = 0 }
    }
    firehose-freshness = {
      meaning = "Sensor messages wait for delivery: the oldest is more than five minutes old."
      metric  = merge(local._stream, { name = "DeliveryToS3.DataFreshness", statistic = "Maximum" })
      breach  = { threshold = 300 }
    }
    firehose-delivery = {
      meaning = "Sensor messages could not be stored: an attempt of the delivery stream failed."
      metric  = merge(local._stream, { name = "DeliveryToS3.Success", statistic = "Average" })
      breach  = { comparison = "LessThanThreshold", threshold = 1 }
    }
  }

  _freshness_alarms = { for name, dataset in module.dataset : "${replace(name, "_", "-")}-freshness" => {
    meaning = "${name} is older than its contract promises: ${dataset.dataset.freshness_seconds / 60} minutes."
    metric = {
      namespace  = var.lake.project
      name       = "Freshness"
      dimensions = { Environment = var.lake.environment, Dataset = name }
      statistic  = "Maximum"
    }
    breach = { threshold = dataset.dataset.freshness_seconds }
  } if dataset.dataset.freshness_seconds != null }

  _run_alarms = {
    glue-transform-failures = {
      meaning = "Curated data is getting old: a run of the transform job failed, timed out or was stopped."
      metric  = module.transform_failures.metric
      breach  = { threshold = 0 }
    }
    quarantine-ratio = {
      meaning = "More than 5 % of the records of a run broke a rule and are in quarantine."
      metric  = merge(local._runs, { name = "QuarantineRatio", statistic = "Maximum" })
      breach  = { threshold = 0.05 }
    }
    schema-drift = {
      meaning = "Records have fields that are not those of the contract."
      metric  = merge(local._runs, { name = "SchemaDrift", statistic = "Maximum" })
      breach  = { threshold = 0 }
    }
    conservation = {
      meaning = "Records of a run are missing or too many; the run has published nothing."
      metric  = merge(local._runs, { name = "RecordsUnaccounted", statistic = "Maximum" })
      breach  = { threshold = 0 }
    }
  }
}

module "alarm" {
  source   = "../../modules/alarm"
  for_each = local.alarms
  name     = each.key
  meaning  = each.value.meaning
  metric   = each.value.metric
  breach   = each.value.breach
  lake     = var.lake
}

module "transform_failures" {
  source = "../../modules/job_failures"
  name   = "glue-transform-failures"
  job    = module.transform.job
  lake   = var.lake
}
