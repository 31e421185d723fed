# The roles with which workflows deliver one environment, and the boundary of all roles that a delivery makes.
# docs/adr/0013 says why they are cut so.

resource "aws_iam_policy" "this" {
  for_each    = local._policies
  name        = format(local.naming, "delivery-${each.key}")
  path        = local._delivery
  description = each.value.description
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [for id, statement in each.value.statements : merge({ Sid = id, Effect = "Allow" }, statement)]
  })
}

locals {
  # Several for one role: a policy has 6144 characters at most.
  _policies = {
    see-places   = { description = "See what holds data, and no data", statements = local.see_places }
    see-work     = { description = "See what works with data", statements = local.see_work }
    fence        = { description = "What no delivery may do", statements = local.fence }
    plan         = { description = "Change nothing", statements = local.plan }
    state        = { description = "Write the states", statements = local.state }
    make-places  = { description = "Make and change what holds data", statements = local.make_places }
    make-keys    = { description = "Make and use keys", statements = local.make_keys }
    make-work    = { description = "Make and change what works with data", statements = local.make_work }
    keep         = { description = "Delete nothing that holds data", statements = local.keep }
    roles        = { description = "Make roles within the boundary, and hand them over", statements = local.roles }
    destroy      = { description = "Delete what holds data", statements = local.destroy_places }
    destroy-work = { description = "Delete what works with data", statements = local.destroy_work }
  }
  _seeing = ["fence", "see-places", "see-work"]
  _policy = { for name, policy in aws_iam_policy.this : name => policy.arn }
}

module "plan" {
  source       = "../web_identity_role"
  name         = format(local.naming, "delivery-plan")
  path         = local._delivery
  description  = "Plans, for a pull request, a delivery, and to see drift"
  provider_arn = var.provider_arn
  github       = var.github
  jobs         = ["pull_request", "ref:refs/heads/main"]
  policies     = { for name in concat(local._seeing, ["plan"]) : name => local._policy[name] }
}

module "apply" {
  source       = "../web_identity_role"
  name         = format(local.naming, "delivery-apply")
  path         = local._delivery
  description  = "Applies a plan; deletes nothing that holds data"
  provider_arn = var.provider_arn
  github       = var.github
  jobs         = ["environment:${local._env}"]
  policies     = { for name in concat(local._seeing, ["keep", "make-keys", "make-places", "make-work", "roles", "state"]) : name => local._policy[name] }
}

module "destroy" {
  source       = "../web_identity_role"
  count        = var.environment.allow_destroy ? 1 : 0
  name         = format(local.naming, "delivery-destroy")
  path         = local._delivery
  description  = "Deletes the environment"
  provider_arn = var.provider_arn
  github       = var.github
  jobs         = ["environment:destroy-${local._env}"]
  policies     = { for name in concat(local._seeing, ["destroy", "destroy-work", "state"]) : name => local._policy[name] }
}
