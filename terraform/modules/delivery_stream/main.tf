# A Firehose stream that collects records and stores them as GZIP objects of a dataset, one folder per UTC day. Before, a
# function judges each record; what it refuses is kept under firehose-errors/.

locals {
  name      = format(var.platform.naming, var.name)
  arn       = "arn:aws:firehose:${var.platform.region}:${var.platform.account_id}:deliverystream/${local.name}"
  log_group = "/aws/kinesisfirehose/${local.name}"

  _day    = "year=!{timestamp:yyyy}/month=!{timestamp:MM}/day=!{timestamp:dd}/"
  _errors = "firehose-errors/"
}

resource "aws_kinesis_firehose_delivery_stream" "this" {
  name        = local.name
  destination = "extended_s3"

  server_side_encryption {
    enabled  = true
    key_type = "CUSTOMER_MANAGED_CMK"
    key_arn  = var.platform.key_arn
  }

  extended_s3_configuration {
    role_arn            = module.role.role.arn
    bucket_arn          = var.platform.bucket_arn
    kms_key_arn         = var.platform.key_arn
    compression_format  = "GZIP"
    buffering_interval  = 60
    buffering_size      = 5
    prefix              = "${var.dataset.prefix}${local._day}"
    error_output_prefix = "${local._errors}${local._day}!{firehose:error-output-type}/"

    processing_configuration {
      enabled = true
      processors {
        type = "Lambda"
        # What is not said here is Firehose's default: 1 MB and three retries. The provider does not keep defaults.
        parameters {
          parameter_name  = "LambdaArn"
          parameter_value = var.validator.arn
        }
        parameters {
          parameter_name  = "BufferIntervalInSeconds"
          parameter_value = "10"
        }
      }
    }

    cloudwatch_logging_options {
      enabled         = true
      log_group_name  = aws_cloudwatch_log_group.this.name
      log_stream_name = aws_cloudwatch_log_stream.this.name
    }
  }
}

resource "aws_cloudwatch_log_group" "this" {
  name              = local.log_group
  retention_in_days = 14
  kms_key_id        = var.platform.key_arn
}

resource "aws_cloudwatch_log_stream" "this" {
  name           = "DestinationDelivery"
  log_group_name = aws_cloudwatch_log_group.this.name
}

module "role" {
  source     = "../role"
  name       = local.name
  service    = "firehose.amazonaws.com"
  account_id = var.platform.account_id
  roles      = var.platform.roles
  statements = {
    WriteObjects = {
      Action   = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
      Resource = [for prefix in [var.dataset.prefix, local._errors] : "${var.platform.bucket_arn}/${prefix}*"]
    }
    # Firehose asks the bucket as a whole before it delivers; a prefix condition would stop it.
    UseBucket = {
      Action   = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
      Resource = [var.platform.bucket_arn]
    }
    Validate = {
      Action   = ["lambda:InvokeFunction", "lambda:GetFunctionConfiguration"]
      Resource = [var.validator.arn]
    }
    UseKey = {
      Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource  = [var.platform.key_arn]
      Condition = { StringEquals = { "kms:ViaService" = "s3.${var.platform.region}.amazonaws.com" } }
    }
    Log = {
      Action   = ["logs:PutLogEvents"]
      Resource = ["arn:aws:logs:${var.platform.region}:${var.platform.account_id}:log-group:${local.log_group}:*"]
    }
  }
}
