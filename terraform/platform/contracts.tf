# What is deployed of the platform itself, for those who ask whether a changed contract breaks it.
resource "aws_s3_object" "contract" {
  for_each    = fileset(local.contracts, "platform/*.yaml")
  bucket      = module.lake_bucket.bucket.name
  key         = "contracts/${each.value}"
  source      = "${local.contracts}/${each.value}"
  source_hash = filesha256("${local.contracts}/${each.value}")
}
