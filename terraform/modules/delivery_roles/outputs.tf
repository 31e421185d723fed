output "delivery" {
  description = "ARN of the role that plans, applies, destroys (null where nothing may be destroyed), and what the platform takes as `roles`."
  value = {
    plan    = module.plan.role.arn
    apply   = module.apply.role.arn
    destroy = one([for role in module.destroy : role.role.arn])
    roles   = { path = local.roles_path, permissions_boundary = aws_iam_policy.boundary.arn }
  }
}
