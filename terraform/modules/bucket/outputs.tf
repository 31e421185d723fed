output "bucket" {
  description = "The bucket, usable once encryption, policy and public access block are in place."
  value       = { name = var.name, arn = local.arn }
  depends_on = [
    aws_s3_bucket_ownership_controls.this,
    aws_s3_bucket_policy.this,
    aws_s3_bucket_server_side_encryption_configuration.this,
    aws_s3_bucket_versioning.this,
  ]
}
