# raw -> curated, and quarantine for what breaks a rule. A contract that names its source is made here.

locals {
  _made    = { for name, dataset in module.dataset : name => dataset.dataset if dataset.dataset.source != null }
  _sources = toset([for dataset in local._made : dataset.source])
}

module "transform" {
  source          = "../../modules/glue_job"
  name            = "transform"
  script          = "transform.py"
  platform        = local.platform
  timeout_minutes = var.transform_timeout_minutes

  reads = { for name in local._sources : name => module.dataset[name].dataset }
  writes = merge(
    local._made,
    { for name, dataset in local._made : "quarantine_${name}" => dataset.quarantine },
    { pipeline_runs = local.platform.runs },
  )
}
