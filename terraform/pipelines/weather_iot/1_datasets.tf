# Every contract of the pipeline is a dataset.

locals {
  _folder    = "${var.lake.contracts}/weather_iot"
  _contracts = { for file in fileset(local._folder, "*.yaml") : trimsuffix(file, ".yaml") => "${local._folder}/${file}" }
}

module "dataset" {
  source              = "../../modules/dataset"
  for_each            = local._contracts
  contract            = each.value
  quarantine_contract = var.lake.quarantine_contract
  lake                = var.lake
}
