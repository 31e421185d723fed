# What no role of a delivery may do, whatever else is allowed: to it, or by what a resource's own policy says.

locals {
  fence = {
    NoSecret  = { Effect = "Deny", Action = ["secretsmanager:BatchGetSecretValue", "secretsmanager:GetSecretValue"], Resource = "*" }
    NoData    = { Effect = "Deny", Action = ["s3:GetObject", "s3:GetObjectVersion"], NotResource = concat(local.arns.code, local.arns.state) }
    NoLedger  = { Effect = "Deny", Action = concat(local._read_items, local._write_items), NotResource = local.arns.locks }
    NoResults = { Effect = "Deny", Action = ["athena:GetQueryResults", "athena:StartQueryExecution"], Resource = "*" }
    # Roles of the lake trust whom Terraform says: also this one.
    NoOtherRole = { Effect = "Deny", Action = ["sts:AssumeRole*"], Resource = "*" }
    # Neither itself nor its like, nor the boundary, nor the provider.
    NoOtherIdentity = { Effect = "Deny", Action = ["iam:*"], NotResource = local.arns.roles }
    NoBoundaryLess  = { Effect = "Deny", Action = ["iam:DeleteRolePermissionsBoundary"], Resource = "*" }
  }
  _read_items  = ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PartiQLSelect", "dynamodb:Query", "dynamodb:Scan"]
  _write_items = ["dynamodb:BatchWriteItem", "dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
}
