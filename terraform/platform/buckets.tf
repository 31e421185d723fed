locals {
  _contracts = [for file in fileset(local.contracts, "*/*.yaml") : yamldecode(file("${local.contracts}/${file}"))]

  # How long data is kept is said by its contract. The last days of it an object is an old version, with which runs are
  # undone; nothing is left of it when the time is over.
  _data_retention = { for contract in local._contracts : "${contract.schema[0].physicalName}/" => {
    expire_days            = one([for rule in contract.slaProperties : rule.value if rule.property == "retention"])
    versions_days          = 30
    infrequent_access_days = startswith(contract.schema[0].physicalName, "raw/") ? 30 : null
  } }
  _scratch_retention = {
    "staging/"         = { expire_days = 7 }
    "glue-temp/"       = { expire_days = 7 }
    "firehose-errors/" = { expire_days = 90 }
    "set-aside/"       = { expire_days = 90 }
  }
}

module "lake_bucket" {
  source        = "../modules/bucket"
  name          = format(local._bucket, "datalake")
  key           = aws_kms_key.lake
  log_bucket    = module.logs_bucket.bucket.name
  log_prefix    = "datalake"
  retention     = merge(local._data_retention, local._scratch_retention)
  append_only   = ["ops/audits/"]
  allow_destroy = var.allow_destroy
}

# What jobs run stands apart from what they read: who may write data cannot write code. Old code stays, so that there is
# a way back to it; a version of a job is a tenth of a megabyte.
module "code_bucket" {
  source        = "../modules/bucket"
  name          = format(local._bucket, "code")
  key           = aws_kms_key.lake
  log_bucket    = module.logs_bucket.bucket.name
  log_prefix    = "code"
  retention     = {}
  allow_destroy = var.allow_destroy
}

module "results_bucket" {
  source        = "../modules/bucket"
  name          = format(local._bucket, "results")
  key           = aws_kms_key.lake
  log_bucket    = module.logs_bucket.bucket.name
  log_prefix    = "results"
  retention     = { "query-results/" = { expire_days = 7 } }
  allow_destroy = var.allow_destroy
}

# Without a key: S3 delivers access logs only to a bucket that encrypts with AES256.
module "logs_bucket" {
  source        = "../modules/bucket"
  name          = format(local._bucket, "logs")
  logs_of       = { account_id = local.account_id, buckets = [for thing in ["datalake", "results", "code"] : format(local._bucket, thing)], trail_arn = local._trail_arn }
  retention     = { for prefix in ["s3-access-logs/", "cloudtrail/"] : prefix => { expire_days = 365 } }
  allow_destroy = var.allow_destroy
}
