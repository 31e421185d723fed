output "stream" {
  description = "The delivery stream."
  value       = { name = local.name, arn = local.arn }
  depends_on  = [aws_kinesis_firehose_delivery_stream.this]
}
