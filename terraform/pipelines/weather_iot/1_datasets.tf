# Every contract of the pipeline is a dataset.

module "dataset" {
  source              = "../../modules/dataset"
  for_each            = local.platform.contracts
  contract            = each.value
  quarantine_contract = local.platform.quarantine_contract
  platform            = local.platform
}

# What is deployed, for those who ask whether a changed contract breaks it.
resource "aws_s3_object" "contract" {
  for_each    = local.platform.contracts
  bucket      = local.platform.bucket
  key         = "contracts/${local.pipeline}/${each.key}.yaml"
  source      = each.value
  source_hash = filesha256(each.value)
}
