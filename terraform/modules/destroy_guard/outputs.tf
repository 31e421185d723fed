output "allow_destroy" {
  description = "Whether the first switch was applied, \"true\" or \"false\"."
  value       = terraform_data.destroy_guard.output.allow_destroy
}
