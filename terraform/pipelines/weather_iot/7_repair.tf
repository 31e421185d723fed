# What the platform's repair role may do to this pipeline.

module "repair_access" {
  source   = "../../modules/repair_access"
  datasets = { for name, dataset in module.dataset : name => dataset.dataset }
  # A correction is a new raw object, which a load brings.
  jobs     = { transform = module.transform.job, repairs = module.transform.job.repairs }
  platform = local.platform
}
