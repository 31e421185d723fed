# A file of its own: Terraform cannot mock an ephemeral resource, so tests put a planted text here.

ephemeral "aws_secretsmanager_random_password" "pseudonym_key" {
  password_length     = 64
  exclude_punctuation = true
}

locals {
  first_pseudonym_key = ephemeral.aws_secretsmanager_random_password.pseudonym_key.random_password
}
