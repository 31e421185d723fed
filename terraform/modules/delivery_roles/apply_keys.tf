# Making keys, and using them for what the environment is made of.

locals {
  make_keys = {
    NewKeys = { Action = ["kms:CreateKey"], Resource = "*", Condition = { StringEquals = local.to_be } }
    # A new key is tagged before it has a tag.
    TagKeys = { Action = ["kms:TagResource"], Resource = local.arns.keys, Condition = { StringEquals = local.to_be, StringEqualsIfExists = local.tagged } }
    Keys = {
      Action    = ["kms:CreateAlias", "kms:DeleteAlias", "kms:EnableKeyRotation", "kms:PutKeyPolicy", "kms:UntagResource", "kms:UpdateAlias", "kms:UpdateKeyDescription"]
      Resource  = local.arns.keys
      Condition = { StringEquals = local.tagged }
    }
    Aliases = { Action = ["kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"], Resource = local.arns.aliases }
    # Services go on using the key for what was made with it.
    Grants = {
      Action    = ["kms:CreateGrant"]
      Resource  = local.arns.keys
      Condition = { StringEquals = local.tagged, Bool = { "kms:GrantIsForAWSResource" = "true" } }
    }
    UseKeys = {
      Action   = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*"]
      Resource = local.arns.keys
      Condition = { StringEquals = merge(local.tagged, {
        "kms:ViaService" = [for service in ["dynamodb", "firehose", "lambda", "s3"] : "${service}.${local._region}.amazonaws.com"]
      }) }
    }
    SealSecrets = {
      Action    = ["kms:GenerateDataKey"]
      Resource  = local.arns.keys
      Condition = { StringEquals = merge(local.tagged, { "kms:ViaService" = local._via_secrets }) }
    }
    # Secrets Manager tries the key of a new secret with a value of its own.
    TrySecrets = {
      Action   = ["kms:Decrypt"]
      Resource = local.arns.keys
      Condition = { StringEquals = merge(local.tagged, {
        "kms:ViaService"                        = local._via_secrets
        "kms:EncryptionContext:SecretVersionId" = "RequestToValidateKeyAccess"
      }) }
    }
  }
  _via_secrets = "secretsmanager.${local._region}.amazonaws.com"
}
