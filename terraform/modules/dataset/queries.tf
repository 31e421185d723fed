# The example of the contract as a query to start from, and what analysts need where Lake Formation governs the table.

locals {
  # Rows that were validated and have no identifier in clear, and what the platform says of its runs.
  _open_to_analysts = contains(["curated", "ops"], split("/", local.prefix)[0])
  _example          = one([for property in local._contract.customProperties : property.value if property.property == "example"])
}

# Analysts see those that they may run; the others are for who runs the lake.
resource "aws_athena_named_query" "example" {
  name        = local.name
  description = "Example of the contract"
  workgroup   = local._open_to_analysts ? var.platform.analysts_workgroup : var.platform.workgroup
  database    = var.platform.database
  query       = local._example
}

resource "aws_lakeformation_permissions" "analyst" {
  count       = var.platform.lake_formation && local._open_to_analysts ? 1 : 0
  principal   = var.platform.analyst_role
  permissions = ["DESCRIBE", "SELECT"]

  table {
    catalog_id    = var.platform.account_id
    database_name = aws_glue_catalog_table.this[local.name].database_name
    name          = aws_glue_catalog_table.this[local.name].name
  }
}
