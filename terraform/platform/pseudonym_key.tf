# The master key of all pseudonyms. Terraform owns the secret and never its value: who plans needs no right to read it, and
# the value is in no plan and no state. `lake keys init` writes the first version. Importing a version would undo that.

locals {
  _secret_name = format(local.naming, "pseudonym-key")

  # Jobs of these names read the key, in every pipeline.
  key_readers = ["erase", "transform"]
  key_reader_arns = [for name in flatten([
    [for job in local.key_readers : [format(local.naming, job), format(local.naming, "*-${job}")]],
    [for role in ["quarantine-repair", "key-keeper"] : format(local.naming, role)],
  ]) : "arn:aws:iam::${local.account_id}:role${var.roles.path}${name}"]
}

resource "aws_secretsmanager_secret" "pseudonym_key" {
  name                    = local._secret_name
  description             = "Versions of the key that makes pseudonyms; a version counts for events from its valid_from on"
  kms_key_id              = aws_kms_key.privacy.arn
  recovery_window_in_days = var.allow_destroy ? 0 : 30
}

# Administrators are not among the readers: what they may do in the account does not open it.
resource "aws_secretsmanager_secret_policy" "pseudonym_key" {
  secret_arn = aws_secretsmanager_secret.pseudonym_key.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "NamedReadersOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "secretsmanager:GetSecretValue"
      Resource  = "*"
      Condition = { ArnNotLike = { "aws:PrincipalArn" = local.key_reader_arns } }
    }]
  })
}
