# The master key of all pseudonyms. Terraform owns the secret and never its value: who plans needs no right to read it, and
# the value is in no plan and no state. `lake keys init` writes the first version. Importing a version would undo that.

resource "aws_secretsmanager_secret" "pseudonym_key" {
  name                    = format(local.naming, "pseudonym-key")
  description             = "Versions of the key that makes pseudonyms; a version counts for events from its valid_from on"
  kms_key_id              = aws_kms_key.lake.arn
  recovery_window_in_days = var.allow_destroy ? 0 : 30
}
