# Who reads personal data, and who writes what the ledger says. The log bucket keeps it for a year.

locals {
  _trail     = format(local.naming, "audit")
  _trail_arn = "arn:aws:cloudtrail:${var.region}:${local.account_id}:trail/${local._trail}"
  _audited   = var.audit_trail != "none"

  # What only reads is written down where identifiers stand in clear, or come out of it. The ledger says what is published.
  _data_events = var.audit_trail != "all" ? {} : {
    "who reads data" = {
      type  = "AWS::S3::Object"
      reads = "true"
      arns = concat(
        [for prefix in ["raw/", "quarantine/"] : "${module.lake_bucket.bucket.arn}/${prefix}"],
        ["${module.results_bucket.bucket.arn}/"],
      )
    }
    "who writes the ledger" = { type = "AWS::DynamoDB::Table", reads = "false", arns = [aws_dynamodb_table.ledger.arn] }
  }
}

resource "aws_cloudtrail" "audit" {
  count                         = local._audited ? 1 : 0
  name                          = local._trail
  s3_bucket_name                = module.logs_bucket.bucket.name
  s3_key_prefix                 = "cloudtrail"
  kms_key_id                    = aws_kms_key.alerts.arn
  enable_log_file_validation    = true
  include_global_service_events = false

  advanced_event_selector {
    name = "management calls"
    field_selector {
      field  = "eventCategory"
      equals = ["Management"]
    }
  }

  dynamic "advanced_event_selector" {
    for_each = local._data_events
    content {
      name = advanced_event_selector.key
      field_selector {
        field  = "eventCategory"
        equals = ["Data"]
      }
      field_selector {
        field  = "resources.type"
        equals = [advanced_event_selector.value.type]
      }
      field_selector {
        field  = "readOnly"
        equals = [advanced_event_selector.value.reads]
      }
      field_selector {
        field       = "resources.ARN"
        starts_with = advanced_event_selector.value.arns
      }
    }
  }
}
