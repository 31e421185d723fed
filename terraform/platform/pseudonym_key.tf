# The master key of all pseudonyms. Ephemeral and write-only: it is in no plan and in no state.

resource "aws_secretsmanager_secret" "pseudonym_key" {
  name                    = format(local.naming, "pseudonym-key")
  description             = "Versions of the key that makes pseudonyms; a version counts for events from its valid_from on"
  kms_key_id              = aws_kms_key.lake.arn
  recovery_window_in_days = var.allow_destroy ? 0 : 30
}

resource "aws_secretsmanager_secret_version" "pseudonym_key" {
  secret_id                = aws_secretsmanager_secret.pseudonym_key.id
  secret_string_wo_version = 1
  secret_string_wo = jsonencode({ versions = [{
    version    = 1
    valid_from = "1970-01-01T00:00:00Z"
    key        = local.first_pseudonym_key
  }] })

  # Rotation is a command and moves AWSCURRENT to a later version. A version without any label is deleted after a while, and
  # Terraform would then make a new first key over all the others; so this version keeps a label of its own.
  version_stages = ["AWSCURRENT", "FIRST"]
  lifecycle {
    ignore_changes = [version_stages]
  }
}
