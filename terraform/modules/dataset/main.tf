# The Glue table of a contract and, for a curated dataset, of its quarantine.

locals {
  _hadoop = "org.apache.hadoop"
  _formats = {
    json = {
      input  = "${local._hadoop}.mapred.TextInputFormat"
      output = "${local._hadoop}.hive.ql.io.HiveIgnoreKeyTextOutputFormat"
      serde  = "org.openx.data.jsonserde.JsonSerDe"
      # Raw keeps what arrived: one broken line must not keep everybody from the others. It is a row of nulls.
      parameters = { "ignore.malformed.json" = "TRUE" }
    }
    parquet = {
      input      = "${local._hadoop}.hive.ql.io.parquet.MapredParquetInputFormat"
      output     = "${local._hadoop}.hive.ql.io.parquet.MapredParquetOutputFormat"
      serde      = "${local._hadoop}.hive.ql.io.parquet.serde.ParquetHiveSerDe"
      parameters = {}
    }
  }
}

resource "aws_glue_catalog_table" "this" {
  for_each      = local.tables
  catalog_id    = var.platform.account_id
  database_name = var.platform.database
  name          = each.key
  description   = each.value.description
  table_type    = "EXTERNAL_TABLE"
  parameters    = { EXTERNAL = "TRUE", classification = each.value.kind }

  storage_descriptor {
    location      = each.value.location
    input_format  = each.value.format.input
    output_format = each.value.format.output

    ser_de_info {
      serialization_library = each.value.format.serde
      parameters            = merge({ "serialization.format" = "1" }, each.value.format.parameters)
    }

    dynamic "columns" {
      for_each = each.value.columns
      content {
        name    = columns.value.name
        type    = columns.value.type
        comment = columns.value.comment
      }
    }
  }

  dynamic "partition_keys" {
    for_each = each.value.partitions
    content {
      name    = partition_keys.value.name
      type    = partition_keys.value.type
      comment = partition_keys.value.comment
    }
  }
}
