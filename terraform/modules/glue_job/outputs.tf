output "job" {
  description = "The job, and the names of what it writes."
  value       = { name = local.name, arn = local.arn, writes = keys(var.writes) }
  depends_on  = [aws_glue_job.this]
}
