output "delivery" {
  description = "Environment => the roles of its delivery, and what its platform takes as `roles`."
  value       = { for name, delivery in module.delivery : name => delivery.delivery }
}
