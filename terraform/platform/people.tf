# Roles that people assume. Besides the jobs, nobody else reads the pseudonym key.

locals {
  _names_of_parts = {
    Action = ["ssm:GetParameter", "ssm:GetParametersByPath"]
    Resource = [for name in ["", "/pipelines", "/pipelines/*"] :
    "arn:aws:ssm:${var.region}:${local.account_id}:parameter${local.parameter}${name}"]
  }
  _read_pseudonym_key = {
    PseudonymKey = { Action = ["secretsmanager:GetSecretValue"], Resource = [aws_secretsmanager_secret.pseudonym_key.arn] }
    OpenPseudonymKey = {
      Action    = ["kms:Decrypt"]
      Resource  = [aws_kms_key.privacy.arn]
      Condition = { StringEquals = { "kms:ViaService" = local._via_secrets } }
    }
  }
}

# The pipelines that are deployed, each of which has put a policy of its own name onto the repair role.
data "aws_ssm_parameters_by_path" "pipelines" {
  path            = "${local.parameter}/pipelines"
  with_decryption = false
}

# Opens, fixes, replays and discards rejected records. What it may do to those of a pipeline, the pipeline attaches:
# modules/repair_access.
module "quarantine_repair" {
  source           = "../modules/people_role"
  name             = format(local.naming, "quarantine-repair")
  description      = "Opens, fixes, replays and discards quarantined records"
  account_id       = local.account_id
  principals       = var.repair_principals
  session          = var.people_sessions
  roles            = var.roles
  further_policies = sort([for name in data.aws_ssm_parameters_by_path.pipelines.names : reverse(split("/", name))[0]])
  statements = merge(local._read_pseudonym_key, {
    Names = local._names_of_parts
    UseKey = {
      Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource  = [aws_kms_key.lake.arn]
      Condition = { StringEquals = { "kms:ViaService" = [for service in ["dynamodb", "s3"] : "${service}.${var.region}.amazonaws.com"] } }
    }
  })
}

# Lists and rotates the versions of the pseudonym key, and encrypts the name of who is to be erased. The commands of `lake`
# assume it by themselves.
module "key_keeper" {
  source      = "../modules/people_role"
  name        = format(local.naming, "key-keeper")
  description = "Lists and rotates the versions of the pseudonym key, orders erasures"
  account_id  = local.account_id
  principals  = var.key_principals
  session     = var.people_sessions
  roles       = var.roles
  statements = merge(local._read_pseudonym_key, {
    Rotate = {
      Action   = ["secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage"]
      Resource = [aws_secretsmanager_secret.pseudonym_key.arn]
    }
    SealPseudonymKey = {
      Action    = ["kms:GenerateDataKey"]
      Resource  = [aws_kms_key.privacy.arn]
      Condition = { StringEquals = { "kms:ViaService" = local._via_secrets } }
    }
  })
}
