locals {
  _lambda_errors = { namespace = "AWS/Lambda", name = "Errors", statistic = "Sum", above = 0, missing = "notBreaching" }

  alarms = {
    batch-ingest-errors = {
      meaning = "No new weather, or not of every city: an invocation of batch-ingest failed."
      metric  = merge(local._lambda_errors, { dimensions = { FunctionName = module.batch_ingest.function.name } })
    }
    stream-generate-errors = {
      meaning = "Sensor messages are missing: an invocation of stream-generate failed."
      metric  = merge(local._lambda_errors, { dimensions = { FunctionName = module.stream_generate.function.name } })
    }
    glue-transform-failures = {
      meaning = "Curated data is getting old: a run of the transform job failed, timed out or was stopped."
      metric = {
        namespace  = "AWS/Events"
        name       = "TriggeredRules"
        dimensions = { RuleName = aws_cloudwatch_event_rule.transform_failures.name }
        statistic  = "Sum"
        above      = 0
        missing    = "notBreaching"
      }
    }
    firehose-freshness = {
      meaning = "Sensor messages wait for delivery: the oldest is more than five minutes old."
      metric = {
        namespace  = "AWS/Firehose"
        name       = "DeliveryToS3.DataFreshness"
        dimensions = { DeliveryStreamName = module.iot_firehose.stream.name }
        statistic  = "Maximum"
        above      = 300
        missing    = "notBreaching"
      }
    }
  }
}

module "alarm" {
  source   = "../../modules/alarm"
  for_each = local.alarms
  name     = each.key
  meaning  = each.value.meaning
  metric   = each.value.metric
  lake     = var.lake
}

# Glue has no metric for a failed job. It sends an event; a rule that matches it is a metric.
resource "aws_cloudwatch_event_rule" "transform_failures" {
  name        = format(var.lake.naming, "glue-transform-failures")
  description = "Runs of the transform job that did not succeed"
  event_pattern = jsonencode({
    source      = ["aws.glue"]
    detail-type = ["Glue Job State Change"]
    detail      = { jobName = [module.transform.job.name], state = ["ERROR", "FAILED", "STOPPED", "TIMEOUT"] }
  })
}

resource "aws_cloudwatch_event_target" "transform_failures" {
  rule      = aws_cloudwatch_event_rule.transform_failures.name
  target_id = "alerts"
  arn       = var.lake.topic_arn

  input_transformer {
    input_paths = {
      job    = "$.detail.jobName"
      run    = "$.detail.jobRunId"
      state  = "$.detail.state"
      reason = "$.detail.message"
      time   = "$.time"
    }
    # Without quotes, EventBridge puts a value in as JSON of its own: a reason may hold quotes and line ends.
    input_template = <<-EOT
      {
        "summary": "Glue job <job>: a run ended with <state>.",
        "reason": <reason>,
        "run": <run>,
        "time": <time>,
        "what to do": "RUNBOOK.md#glue-transform-failures"
      }
    EOT
  }

  retry_policy {
    maximum_event_age_in_seconds = 3600
    maximum_retry_attempts       = 10
  }

  dead_letter_config {
    arn = var.lake.dead_letters_arn
  }
}
