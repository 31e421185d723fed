output "job" {
  description = "The job."
  value       = { name = local.name, arn = local.arn }
  depends_on  = [aws_glue_job.this]
}
