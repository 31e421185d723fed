output "role" {
  description = "The role, usable once its policies are in place."
  value       = { name = aws_iam_role.this.name, arn = aws_iam_role.this.arn }
  depends_on  = [aws_iam_role_policy_attachment.this]
}
