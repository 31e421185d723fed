# Making roles: only on the path of the environment, only with its boundary, and only for the services that use them.

locals {
  roles = {
    Roles = {
      Action    = ["iam:AttachRolePolicy", "iam:CreateRole", "iam:DeleteRolePolicy", "iam:DetachRolePolicy", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"]
      Resource  = local.arns.roles
      Condition = { StringEquals = { "iam:PermissionsBoundary" = aws_iam_policy.boundary.arn } }
    }
    # These know no such condition: a role on the path was made with the boundary.
    ChangeRoles = {
      Action   = ["iam:DeleteRole", "iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:UpdateRoleDescription"]
      Resource = local.arns.roles
    }
    HandOver = {
      Action    = ["iam:PassRole"]
      Resource  = local.arns.roles
      Condition = { StringEquals = { "iam:PassedToService" = [for service in ["firehose", "glue", "lambda", "scheduler"] : "${service}.amazonaws.com"] } }
    }
  }
}
