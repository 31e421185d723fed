# One page about the pipeline, of what it registers.

module "dashboard" {
  source     = "../../modules/pipeline_dashboard"
  registered = local.registered
  platform   = local.platform
}
