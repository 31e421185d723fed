# An alarm that tells the topic when it fires and when it is over.

locals {
  name = format(var.lake.naming, var.name)
}

resource "aws_cloudwatch_metric_alarm" "this" {
  alarm_name        = local.name
  alarm_description = "${var.meaning} What to do: RUNBOOK.md#${var.name}"

  namespace   = var.metric.namespace
  metric_name = var.metric.name
  dimensions  = var.metric.dimensions
  statistic   = var.metric.statistic
  period      = var.breach.period_seconds

  comparison_operator = var.breach.comparison
  threshold           = var.breach.threshold
  evaluation_periods  = var.breach.periods
  datapoints_to_alarm = var.breach.periods
  treat_missing_data  = var.breach.missing

  alarm_actions = [var.lake.topic_arn]
  ok_actions    = [var.lake.topic_arn]
}
