# raw -> curated, and quarantine for what breaks a rule.

module "transform" {
  source          = "../../modules/glue_job"
  name            = "transform"
  script          = "transform.py"
  platform        = local.platform
  timeout_minutes = var.transform_timeout_minutes

  reads = {
    raw_weather     = module.dataset["raw_weather"].dataset
    raw_iot_sensors = module.dataset["raw_iot_sensors"].dataset
  }
  writes = {
    curated_weather                    = module.dataset["curated_weather"].dataset
    quarantine_curated_weather         = module.dataset["curated_weather"].dataset.quarantine
    curated_sensor_readings            = module.dataset["curated_sensor_readings"].dataset
    quarantine_curated_sensor_readings = module.dataset["curated_sensor_readings"].dataset.quarantine
    pipeline_runs                      = local.platform.runs
  }
}
