# A role that people assume, with one policy made of named statements. Who they are, and what their session must have, is
# in the trust and not in the policies of the account: there every power user may assume every role.

locals {
  _conditions = merge(
    # Roles and users; a pattern names those of a single sign-on, whose names end with what nobody knows beforehand.
    length(var.principals) > 0 ? { ArnLike = { "aws:PrincipalArn" = var.principals } } : {},
    var.session.mfa ? { Bool = { "aws:MultiFactorAuthPresent" = "true" } } : {},
    # CloudTrail keeps it through all that the session does.
    var.session.source_identity ? { StringLike = { "sts:SourceIdentity" = "?*" } } : {},
  )
  _trust = {
    Effect    = "Allow"
    Action    = ["sts:AssumeRole", "sts:SetSourceIdentity"]
    Principal = { AWS = "arn:aws:iam::${var.account_id}:root" }
    Condition = local._conditions
  }
}

resource "aws_iam_role" "this" {
  name                 = var.name
  path                 = var.roles.path
  permissions_boundary = var.roles.permissions_boundary
  description          = var.description
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ for key, value in local._trust : key => value if key != "Condition" || length(local._conditions) > 0 }]
  })
}

resource "aws_iam_role_policy" "this" {
  name = "access"
  role = aws_iam_role.this.name
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [for id, statement in var.statements : merge({ Sid = id, Effect = "Allow" }, statement)]
  })
}

# A policy that somebody adds by hand is a difference, and goes with the next apply.
resource "aws_iam_role_policies_exclusive" "this" {
  role_name    = aws_iam_role.this.name
  policy_names = concat([aws_iam_role_policy.this.name], var.further_policies)
}

resource "aws_iam_role_policy_attachments_exclusive" "this" {
  role_name   = aws_iam_role.this.name
  policy_arns = []
}
