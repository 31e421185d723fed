# A private, versioned, encrypted bucket.

resource "aws_s3_bucket" "this" {
  bucket        = var.name
  force_destroy = var.allow_destroy
}

resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id
  rule {
    bucket_key_enabled = local._with_key
    apply_server_side_encryption_by_default {
      sse_algorithm     = local._with_key ? "aws:kms" : "AES256"
      kms_master_key_id = one(var.key[*].arn)
    }
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket                  = aws_s3_bucket.this.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_logging" "this" {
  for_each      = toset(compact([var.log_bucket]))
  bucket        = aws_s3_bucket.this.id
  target_bucket = each.key
  target_prefix = "s3-access-logs/${var.log_prefix}/"
}
