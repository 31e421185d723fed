# A role that one AWS service assumes, with one policy made of named statements.

locals {
  _trust = {
    Effect    = "Allow"
    Action    = "sts:AssumeRole"
    Principal = { Service = var.service }
    # Only on behalf of our own account: without this any account could point the service at our role.
    Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
  }
  # Documented for these two only; a service that does not send the source would be locked out.
  _sends_source = contains(["firehose.amazonaws.com", "scheduler.amazonaws.com"], var.service)

  _statements = [for id, statement in var.statements : merge({ Sid = id, Effect = "Allow" }, statement)]
}

resource "aws_iam_role" "this" {
  name                 = var.name
  path                 = var.roles.path
  permissions_boundary = var.roles.permissions_boundary
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ for key, value in local._trust : key => value if key != "Condition" || local._sends_source }]
  })
}

resource "aws_iam_role_policy" "this" {
  name   = "access"
  role   = aws_iam_role.this.name
  policy = jsonencode({ Version = "2012-10-17", Statement = local._statements })
}

# A policy that somebody adds by hand is a difference, and goes with the next apply.
resource "aws_iam_role_policies_exclusive" "this" {
  role_name    = aws_iam_role.this.name
  policy_names = [aws_iam_role_policy.this.name]
}

resource "aws_iam_role_policy_attachments_exclusive" "this" {
  role_name   = aws_iam_role.this.name
  policy_arns = []
}
