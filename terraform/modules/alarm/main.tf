# An alarm that tells the topic when it fires and when it is over.

locals {
  name = format(var.platform.naming, var.name)
}

resource "aws_cloudwatch_metric_alarm" "this" {
  alarm_name        = local.name
  alarm_description = "${var.description} What to do: ${format(var.platform.runbook, var.name)}"

  namespace   = var.metric.namespace
  metric_name = var.metric.name
  dimensions  = var.metric.dimensions
  statistic   = var.metric.statistic
  period      = var.evaluation.period_seconds

  comparison_operator = var.evaluation.comparison
  threshold           = var.evaluation.threshold
  evaluation_periods  = var.evaluation.periods
  datapoints_to_alarm = var.evaluation.periods
  treat_missing_data  = var.evaluation.missing

  alarm_actions = concat([var.platform.topic_arn], var.also_tell)
  ok_actions    = concat([var.platform.topic_arn], var.also_tell)
}
