# A role that workflows of one GitHub repository assume, with a token that GitHub signs for each job.

locals {
  _issuer = "token.actions.githubusercontent.com"

  # GitHub writes the subject of repositories that were made, renamed or transferred since July 2026 with both numbers,
  # of older ones without. Whole strings: with a wildcard a branch could be called so that it fits.
  _repositories = [
    "repo:${var.github.owner}/${var.github.name}",
    "repo:${var.github.owner}@${var.github.owner_id}/${var.github.name}@${var.github.repository_id}",
  ]
  _subjects = flatten([for repository in local._repositories : [for job in var.jobs : "${repository}:${job}"]])
}

resource "aws_iam_role" "this" {
  name                 = var.name
  path                 = var.path
  description          = var.description
  max_session_duration = 3600
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = var.provider_arn }
      Condition = { StringEquals = {
        "${local._issuer}:aud" = "sts.amazonaws.com"
        "${local._issuer}:sub" = local._subjects
        # Whoever takes over a name that has become free has another number.
        "${local._issuer}:repository_id" = var.github.repository_id
      } }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each   = var.policies
  role       = aws_iam_role.this.name
  policy_arn = each.value
}

# A policy that somebody adds by hand is a difference, and goes with the next apply.
resource "aws_iam_role_policy_attachments_exclusive" "this" {
  role_name   = aws_iam_role.this.name
  policy_arns = [for attachment in aws_iam_role_policy_attachment.this : attachment.policy_arn]
}

resource "aws_iam_role_policies_exclusive" "this" {
  role_name    = aws_iam_role.this.name
  policy_names = []
}
