# One page about the pipeline, of what it registers.

module "dashboard" {
  source     = "../../modules/pipeline_dashboard"
  registered = local.registered
  platform   = local.platform

  highest_quarantine_ratio = local.highest_quarantine_ratio
}
