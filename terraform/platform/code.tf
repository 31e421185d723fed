# The shared Python of all jobs. The version stands in the file's name, which pip insists on.

locals {
  _wheel_name = coalesce(one(fileset(local.artifacts, "lake-*-py3-none-any.whl")), "lake.whl (scripts/build.py makes it)")
  _wheel_path = "${local.artifacts}/${local._wheel_name}"

  wheel = {
    uri    = "s3://${module.lake_bucket.bucket.name}/${aws_s3_object.wheel.key}"
    sha256 = filesha256(local._wheel_path)
  }
}

resource "aws_s3_object" "wheel" {
  bucket      = module.lake_bucket.bucket.name
  key         = "glue-scripts/${local._wheel_name}"
  source      = local._wheel_path
  source_hash = filesha256(local._wheel_path)
}

# What is deployed of the platform itself, for those who ask whether a changed contract breaks it.
resource "aws_s3_object" "contract" {
  for_each    = fileset(local.contracts, "platform/*.yaml")
  bucket      = module.lake_bucket.bucket.name
  key         = "contracts/${each.value}"
  source      = "${local.contracts}/${each.value}"
  source_hash = filesha256("${local.contracts}/${each.value}")
}
