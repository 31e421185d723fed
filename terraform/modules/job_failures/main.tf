# A message for each run of a Glue job that did not succeed, with its reason.
#
# Glue has no metric for a failed job. It sends an event; a rule that matches it is a metric.

locals {
  _jobs = compact([var.job.name, one(var.job.repairs[*].name)])
}

resource "aws_cloudwatch_event_rule" "this" {
  name        = format(var.platform.naming, var.name)
  description = "Runs of ${join(" and ", local._jobs)} that did not succeed"
  event_pattern = jsonencode({
    source      = ["aws.glue"]
    detail-type = ["Glue Job State Change"]
    detail      = { jobName = local._jobs, state = ["ERROR", "FAILED", "STOPPED", "TIMEOUT"] }
  })
}

resource "aws_cloudwatch_event_target" "this" {
  rule      = aws_cloudwatch_event_rule.this.name
  target_id = "alerts"
  arn       = var.platform.topic_arn

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
        "what to do": "${format(var.platform.runbook, var.name)}"
      }
    EOT
  }

  retry_policy {
    maximum_event_age_in_seconds = 3600
    maximum_retry_attempts       = 10
  }

  dead_letter_config {
    arn = var.platform.dead_letters_arn
  }
}
