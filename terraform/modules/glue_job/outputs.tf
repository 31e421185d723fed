output "job" {
  description = "The job, the one that repairs what it writes, or null, and the names of what it writes."
  value = {
    name    = local.name
    arn     = "${local._jobs}/${local.name}"
    repairs = var.repairs ? { name = local.repairs, arn = "${local._jobs}/${local.repairs}" } : null
    writes  = keys(var.writes)
  }
  depends_on = [aws_glue_job.this]
}
