# Who may look into a rejected record and repair it: a role that people assume. Nobody else reads the pseudonym key but the jobs.

locals {
  # What it may do to the records of a pipeline, the pipeline attaches: modules/repair_access.
  _repair = {
    Names = {
      Action = ["ssm:GetParameter", "ssm:GetParametersByPath"]
      Resource = [for name in ["", "/pipelines", "/pipelines/*"] :
      "arn:aws:ssm:${var.region}:${local.account_id}:parameter${local.parameter}${name}"]
    }
    PseudonymKey = { Action = ["secretsmanager:GetSecretValue"], Resource = [aws_secretsmanager_secret.pseudonym_key.arn] }
    UseKey       = { Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = [aws_kms_key.lake.arn] }
  }
}

resource "aws_iam_role" "quarantine_repair" {
  name        = format(local.naming, "quarantine-repair")
  description = "Opens, fixes, replays and discards quarantined records"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { AWS = local._key_arn_owner }
    }]
  })
}

resource "aws_iam_role_policy" "quarantine_repair" {
  name = "access"
  role = aws_iam_role.quarantine_repair.name
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [for id, statement in local._repair : merge({ Sid = id, Effect = "Allow" }, statement)]
  })
}
