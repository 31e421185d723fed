output "dashboard" {
  description = "The dashboard."
  value       = module.page.dashboard
}
