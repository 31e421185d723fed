locals {
  arn       = "arn:aws:s3:::${var.name}"
  _with_key = var.key != null

  _tls_only = {
    Sid       = "TlsOnly"
    Effect    = "Deny"
    Principal = "*"
    Action    = "s3:*"
    Resource  = [local.arn, "${local.arn}/*"]
    Condition = { Bool = { "aws:SecureTransport" = "false" } }
  }

  # A put without the header gets the bucket's key by default. Without the Null test it would be refused as well.
  _kms_only = {
    Sid       = "KmsOnly"
    Effect    = "Deny"
    Principal = "*"
    Action    = "s3:PutObject"
    Resource  = ["${local.arn}/*"]
    Condition = {
      Null            = { "s3:x-amz-server-side-encryption" = "false" }
      StringNotEquals = { "s3:x-amz-server-side-encryption" = "aws:kms" }
    }
  }

  # With a key that the writer sends along, or one of another account, we could not read what is in our own bucket.
  # A negative condition also holds for a header that is not there, hence the Null test of the second one.
  _own_keys_only = {
    NoCustomerKeys = { Null = { "s3:x-amz-server-side-encryption-customer-algorithm" = "false" } }
    NoOtherKeys = {
      Null            = { "s3:x-amz-server-side-encryption-aws-kms-key-id" = "false" }
      StringNotEquals = { "s3:x-amz-server-side-encryption-aws-kms-key-id" = local._with_key ? var.key.arn : "" }
    }
  }
  _own_keys = [for id, condition in local._own_keys_only :
  { Sid = id, Effect = "Deny", Principal = "*", Action = "s3:PutObject", Resource = ["${local.arn}/*"], Condition = condition }]

  # A put that replaces is one without If-None-Match. What starts an upload in parts has no such header, so it is refused too.
  _append_only = [
    for sid, denied in {
      CreateOnly = { actions = ["s3:PutObject"], condition = { Null = { "s3:if-none-match" = "true" } } }
      DeleteNone = { actions = ["s3:DeleteObject", "s3:DeleteObjectVersion"], condition = {} }
      } : merge(
      { Sid = sid, Effect = "Deny", Principal = "*", Action = denied.actions, Resource = [for prefix in var.append_only : "${local.arn}/${prefix}*"] },
      { for key, value in { Condition = denied.condition } : key => value if length(value) > 0 },
    ) if length(var.append_only) > 0 && !(sid == "DeleteNone" && var.allow_destroy)
  ]

  _access_logs = {
    Sid       = "AccessLogs"
    Effect    = "Allow"
    Principal = { Service = "logging.s3.amazonaws.com" }
    Action    = "s3:PutObject"
    Resource  = ["${local.arn}/s3-access-logs/*"]
    Condition = {
      ArnLike      = { "aws:SourceArn" = [for name in var.logs_of.buckets : "arn:aws:s3:::${name}"] }
      StringEquals = { "aws:SourceAccount" = var.logs_of.account_id }
    }
  }
}

locals {
  # CloudTrail looks at the bucket's ACL before it writes.
  _trail = var.logs_of.trail_arn == null ? [] : [for sid, right in {
    TrailLooks  = { action = "s3:GetBucketAcl", resource = local.arn }
    TrailWrites = { action = "s3:PutObject", resource = "${local.arn}/cloudtrail/AWSLogs/${var.logs_of.account_id}/*" }
    } : {
    Sid       = sid
    Effect    = "Allow"
    Principal = { Service = "cloudtrail.amazonaws.com" }
    Action    = right.action
    Resource  = [right.resource]
    Condition = { StringEquals = { "aws:SourceArn" = var.logs_of.trail_arn } }
  }]
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [local._tls_only],
      local._own_keys,
      local._append_only,
      [for statement in [local._kms_only] : statement if local._with_key],
      local._trail,
      [for statement in [local._access_logs] : statement if length(var.logs_of.buckets) > 0],
    )
  })
  depends_on = [aws_s3_bucket_public_access_block.this]
}
