output "metric" {
  description = "The metric that counts these calls, as an alarm takes it."
  value = {
    namespace  = "AWS/Events"
    name       = "TriggeredRules"
    dimensions = { RuleName = aws_cloudwatch_event_rule.this.name }
    statistic  = "Sum"
  }
}
