# A contract (Open Data Contract Standard 3.1) as the values that the tables need.

locals {
  _contract   = yamldecode(file(var.contract))
  _schema     = local._contract.schema[0]
  _service    = local._contract.slaProperties
  _quarantine = yamldecode(file(var.quarantine_contract)).schema[0]

  # Hours and minutes are the units that lake/contract/model.py knows. Null: nobody is told when the dataset gets old.
  _seconds          = { h = 3600, m = 60 }
  freshness_seconds = one([for rule in local._service : rule.value * local._seconds[rule.unit] if rule.property == "freshness"])

  name   = local._schema.name
  prefix = "${local._schema.physicalName}/"

  # Only a dataset that is made row by row from another one rejects records: raw ones keep what arrived, derived ones
  # follow from rows that are good.
  source            = one([for property in try(local._contract.customProperties, []) : property.value if property.property == "source"])
  inputs            = flatten([for property in try(local._contract.customProperties, []) : property.value if property.property == "inputs"])
  _has_quarantine   = local.source != null
  _has_tokens       = anytrue([for property in local._schema.properties : can(property.encryptedName)])
  quarantine_name   = "quarantine_${local.name}"
  quarantine_prefix = "${local._quarantine.physicalName}/${basename(local._schema.physicalName)}/"

  _tables = {
    (local.name)            = { schema = local._schema, prefix = local.prefix }
    (local.quarantine_name) = { schema = local._quarantine, prefix = local.quarantine_prefix }
  }

  tables = { for name, table in local._tables : name => {
    description = table.schema.description
    format      = local._formats[table.schema.physicalType]
    kind        = table.schema.physicalType
    location    = "s3://${var.platform.bucket}/${table.prefix}"
    columns = [for property in table.schema.properties : {
      # A column that is stored encrypted is stored as text, under its encrypted name.
      name    = try(property.encryptedName, property.name)
      type    = can(property.encryptedName) ? "string" : property.physicalType
      comment = property.description
    } if !try(property.partitioned, false)]
    # The position is a string of fixed width because Terraform sorts map keys as text.
    partitions = values({ for property in table.schema.properties :
      format("%03d", property.partitionKeyPosition) => {
        name    = property.name
        type    = property.physicalType
        comment = property.description
      } if try(property.partitioned, false)
    })
  } if name == local.name || local._has_quarantine }
}
