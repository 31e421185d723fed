output "policy" {
  description = "The policy of the pipeline on the repair role."
  value       = { role = aws_iam_role_policy.this.role, name = aws_iam_role_policy.this.name }
}
