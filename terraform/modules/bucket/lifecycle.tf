resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    id     = "housekeeping"
    status = "Enabled"
    filter {}
    noncurrent_version_expiration {
      noncurrent_days = 30
    }
    expiration {
      expired_object_delete_marker = true
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  dynamic "rule" {
    for_each = var.retention
    content {
      id     = trimsuffix(replace(rule.key, "/", "-"), "-")
      status = "Enabled"
      filter {
        prefix = rule.key
      }
      # In a versioned bucket an object that expires becomes an old version, which is kept for some days more.
      expiration {
        days = rule.value.expire_days - rule.value.versions_days
      }
      noncurrent_version_expiration {
        noncurrent_days = rule.value.versions_days
      }
      dynamic "transition" {
        for_each = rule.value.infrequent_access_days[*]
        content {
          days          = transition.value
          storage_class = "STANDARD_IA"
        }
      }
    }
  }

  # S3 refuses the noncurrent rule on a bucket that is not versioned yet.
  depends_on = [aws_s3_bucket_versioning.this]
}
