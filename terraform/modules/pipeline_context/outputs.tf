output "platform" {
  description = "What the modules of a pipeline take as `platform`."
  value = merge(local._platform, {
    pipeline   = var.pipeline
    naming     = "${var.project}-${local._infix}%s-${var.environment}"
    runbook    = "docs/runbooks/${var.pipeline}.md#${local._infix}%s"
    bucket     = local._platform.lake_bucket
    bucket_arn = "arn:aws:s3:::${local._platform.lake_bucket}"
    topic_arn  = local._platform.alerts

    contracts = { for file in fileset("${local._contracts}/${var.pipeline}", "*.yaml") : trimsuffix(file, ".yaml") => "${local._contracts}/${var.pipeline}/${file}" }
    # Every dataset that there is: one may be derived from those of other pipelines.
    datasets = { for file in fileset(local._contracts, "*/*.yaml") : trimsuffix(basename(file), ".yaml") => {
      name   = trimsuffix(basename(file), ".yaml")
      prefix = "${yamldecode(file("${local._contracts}/${file}")).schema[0].physicalName}/"
      uri    = "s3://${local._platform.lake_bucket}/${yamldecode(file("${local._contracts}/${file}")).schema[0].physicalName}/"
    } }
    quarantine_contract = "${local._contracts}/platform/quarantine.yaml"
    artifacts           = "${local._repository}/build/artifacts/${var.pipeline}"
    code                = "${local._repository}/build/artifacts/jobs/${var.pipeline}"
    registration        = "/lake/${var.project}/${var.environment}/pipelines/${var.pipeline}"
  })
}
