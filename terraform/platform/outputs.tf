output "platform" {
  description = "What people and scripts need to know."
  value       = local.platform
}
