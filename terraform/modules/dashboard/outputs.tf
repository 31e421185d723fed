output "dashboard" {
  description = "The dashboard."
  value       = { name = aws_cloudwatch_dashboard.this.dashboard_name }
}
