# A message for each management call that matches, with who made it.
#
# EventBridge gets these calls once a trail logs them, as a rule also those that were denied.

resource "aws_cloudwatch_event_rule" "this" {
  name        = format(var.platform.naming, var.name)
  description = var.description
  # Without this state a rule hears only of calls that change something.
  state = var.reads ? "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS" : "ENABLED"
  event_pattern = jsonencode({
    source      = var.calls.sources
    detail-type = ["AWS API Call via CloudTrail"]
    detail      = var.calls.detail
  })
}

resource "aws_cloudwatch_event_target" "this" {
  rule      = aws_cloudwatch_event_rule.this.name
  target_id = "alerts"
  arn       = var.platform.topic_arn

  input_transformer {
    input_paths = {
      action  = "$.detail.eventName"
      service = "$.detail.eventSource"
      who     = "$.detail.userIdentity.arn"
      address = "$.detail.sourceIPAddress"
      error   = "$.detail.errorCode"
      asked   = "$.detail.requestParameters"
      time    = "$.detail.eventTime"
    }
    # Without quotes, EventBridge puts a value in as JSON of its own. An error that there was not leaves nothing between them.
    input_template = <<-EOT
      {
        "summary": "${var.description}",
        "call": "<action> of <service>",
        "who": <who>,
        "from": <address>,
        "error": "<error>",
        "asked": <asked>,
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
