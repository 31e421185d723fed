locals {
  _places = { for name, prefix in { (local.name) = local.prefix, (local.quarantine_name) = local.quarantine_prefix } :
    name => {
      name     = name
      database = var.platform.database
      bucket   = var.platform.bucket
      prefix   = prefix
      uri      = "s3://${var.platform.bucket}/${prefix}"
    }
  }
}

output "dataset" {
  description = "The dataset as jobs, functions and streams take it, with the names of what it is `made_from`; null where it has no `source`, no `quarantine` or no promised freshness."
  value = merge(local._places[local.name], {
    source            = local.source
    made_from         = local.source == null ? local.inputs : [local.source]
    quarantine        = local._has_quarantine ? local._places[local.quarantine_name] : null
    freshness_seconds = local.freshness_seconds
    # Rejected records are encrypted with the pseudonym key too, whether or not a column is.
    encrypted = local._has_quarantine || local._has_tokens
    # Its rows are of data subjects.
    pseudonymised = local._has_tokens
  })
  depends_on = [aws_glue_catalog_table.this]
}
