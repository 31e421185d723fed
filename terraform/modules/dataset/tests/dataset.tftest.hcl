mock_provider "aws" {}

variables {
  platform = {
    account_id         = "123456789012"
    bucket             = "lake-bucket"
    database           = "lake_test"
    workgroup          = "operators"
    analysts_workgroup = "analysts"
    analyst_role       = "arn:aws:iam::123456789012:role/analyst"
    lake_formation     = true
  }
  quarantine_contract = "../../../contracts/platform/quarantine.yaml"
}

run "a_raw_dataset_is_json_without_a_quarantine_table" {
  command = plan
  variables {
    contract = "tests/contracts/raw_orders.yaml"
  }
  assert {
    condition     = keys(aws_glue_catalog_table.this) == ["raw_orders"] && output.dataset.quarantine == null
    error_message = "Raw data is kept as it arrived: nothing is rejected."
  }
  assert {
    condition     = aws_glue_catalog_table.this["raw_orders"].storage_descriptor[0].ser_de_info[0].serialization_library == "org.openx.data.jsonserde.JsonSerDe"
    error_message = "JSON is read by the OpenX serde."
  }
  assert {
    condition     = aws_glue_catalog_table.this["raw_orders"].partition_keys[*].name == tolist(["year", "month", "day"])
    error_message = "Partition keys stand in the order of their positions."
  }
  assert {
    condition     = output.dataset.uri == "s3://lake-bucket/raw/orders-as-sent/"
    error_message = "The location follows from physicalName."
  }
  assert {
    condition     = output.dataset.freshness_seconds == 900
    error_message = "A quarter of an hour is 900 seconds."
  }
  assert {
    condition     = aws_athena_named_query.example.workgroup == "operators" && length(aws_lakeformation_permissions.analyst) == 0
    error_message = "Analysts neither read raw data nor see queries that they may not run."
  }
}

run "a_curated_dataset_is_parquet_with_a_quarantine_table" {
  command = plan
  variables {
    contract = "tests/contracts/curated_orders.yaml"
  }
  assert {
    condition     = keys(aws_glue_catalog_table.this) == ["curated_orders", "quarantine_curated_orders"]
    error_message = "A curated dataset has a quarantine."
  }
  assert {
    condition     = slice(aws_glue_catalog_table.this["curated_orders"].storage_descriptor[0].columns[*].name, 0, 3) == tolist(["order_id", "customer_id_hash", "ordered_at"])
    error_message = "Columns stand in the order of the contract; a pseudonymised one has its encrypted name."
  }
  assert {
    condition     = aws_glue_catalog_table.this["curated_orders"].storage_descriptor[0].columns[2].type == "timestamp"
    error_message = "Types are spelled as in the contract."
  }
  assert {
    condition     = output.dataset.quarantine.uri == "s3://lake-bucket/quarantine/orders-of-customers/"
    error_message = "The quarantine table lies under quarantine/ and the last part of the dataset's own folder."
  }
  assert {
    condition     = output.dataset.freshness_seconds == 7200
    error_message = "Two hours are 7200 seconds."
  }
  assert {
    condition     = aws_athena_named_query.example.workgroup == "analysts" && strcontains(aws_athena_named_query.example.query, "FROM curated_orders")
    error_message = "The contract's example is a query of the analysts."
  }
  assert {
    condition     = toset(aws_lakeformation_permissions.analyst[0].permissions) == toset(["SELECT", "DESCRIBE"]) && one(aws_lakeformation_permissions.analyst[0].table).name == "curated_orders"
    error_message = "Where Lake Formation governs, analysts are granted the table, and not its quarantine."
  }
  assert {
    condition     = aws_glue_catalog_table.this["quarantine_curated_orders"].storage_descriptor[0].columns[0].name == "source_object"
    error_message = "The quarantine table's columns are those of the quarantine contract."
  }
}
