output "alarm" {
  description = "The alarm."
  value       = { name = aws_cloudwatch_metric_alarm.this.alarm_name, arn = aws_cloudwatch_metric_alarm.this.arn }
}
