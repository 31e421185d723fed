# A key of the pseudonym key alone: whoever may use the lake's key, to read a table say, cannot read the secret with it.
# Unlike with the others the account's policies do not decide: who administers it does not decrypt with it.
resource "aws_kms_key" "privacy" {
  description             = "The pseudonym key of ${var.project} ${var.environment}"
  enable_key_rotation     = true
  deletion_window_in_days = var.allow_destroy ? 7 : 30
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [for id, statement in local._privacy_policy :
    merge({ Sid = id, Effect = "Allow", Resource = "*", Principal = { AWS = local._key_arn_owner } }, statement)]
  })
}

resource "aws_kms_alias" "privacy" {
  name          = "alias/${format(local.naming, "privacy")}"
  target_key_id = aws_kms_key.privacy.key_id
}

locals {
  _via_secrets = "secretsmanager.${var.region}.amazonaws.com"
  _secret_arn  = "arn:aws:secretsmanager:${var.region}:${local.account_id}:secret:${local._secret_name}-??????"

  _privacy_policy = {
    Administer = {
      Action = [for action in [
        "CancelKeyDeletion", "CreateAlias", "DeleteAlias", "DescribeKey", "DisableKey", "DisableKeyRotation", "EnableKey",
        "EnableKeyRotation", "GetKeyPolicy", "GetKeyRotationStatus", "ListGrants", "ListKeyPolicies", "ListResourceTags",
        "PutKeyPolicy", "RevokeGrant", "ScheduleKeyDeletion", "TagResource", "UntagResource", "UpdateAlias",
        "UpdateKeyDescription",
      ] : "kms:${action}"]
    }
    # The policies of the account still say who.
    WriteTheSecret = {
      Action = ["kms:GenerateDataKey"]
      Condition = {
        StringEquals = { "kms:ViaService" = local._via_secrets }
        StringLike   = { "kms:EncryptionContext:SecretARN" = local._secret_arn }
      }
    }
    # Secrets Manager tries a key that a secret is given, with a value of its own.
    TryTheKey = {
      Action = ["kms:Decrypt"]
      Condition = { StringEquals = {
        "kms:ViaService"                        = local._via_secrets
        "kms:EncryptionContext:SecretVersionId" = "RequestToValidateKeyAccess"
      } }
    }
    ReadTheSecret = {
      Action = ["kms:Decrypt"]
      Condition = {
        StringEquals = { "kms:ViaService" = local._via_secrets }
        StringLike   = { "kms:EncryptionContext:SecretARN" = local._secret_arn }
        ArnLike      = { "aws:PrincipalArn" = local.key_reader_arns }
      }
    }
  }
}
