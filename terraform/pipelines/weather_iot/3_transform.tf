# raw -> curated, and quarantine for what breaks a rule. A contract that names its source or inputs is made here.

locals {
  _made    = { for name, dataset in module.dataset : name => dataset.dataset if length(dataset.dataset.made_from) > 0 }
  _rejects = { for name, dataset in local._made : name => dataset if dataset.quarantine != null }
  # What the job makes itself it reads as well.
  _sources = setsubtract(flatten([for dataset in local._made : dataset.made_from]), keys(local._made))
}

module "transform" {
  source          = "../../modules/glue_job"
  name            = "transform"
  script          = "transform.py"
  platform        = local.platform
  timeout_minutes = var.transform_timeout_minutes

  # Of this pipeline or of another one. Without the dataset's own module, the job does not wait for its table.
  reads = { for name in local._sources : name => local.platform.datasets[name] }
  writes = merge(
    local._made,
    { for name, dataset in local._rejects : "quarantine_${name}" => dataset.quarantine },
    { pipeline_runs = local.platform.runs },
  )
}
