output "stream" {
  description = "The delivery stream; below the prefix `errors` it leaves what it could not deliver."
  value       = { name = local.name, arn = local.arn, errors = local._errors }
  depends_on  = [aws_kinesis_firehose_delivery_stream.this]
}
