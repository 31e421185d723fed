# Open-Meteo -> raw_weather, sensors -> raw_iot_sensors.

module "batch_ingest" {
  source   = "../../modules/function"
  name     = "batch-ingest"
  platform = local.platform
  limits   = { concurrency = lookup(var.reserved_concurrency, "batch-ingest", null) }
  writes   = { raw_weather = module.dataset["raw_weather"].dataset }
  variables = {
    CITIES        = jsonencode(local.cities)
    FORECAST_DAYS = var.forecast_days
  }
}

module "stream_generate" {
  source   = "../../modules/function"
  name     = "stream-generate"
  platform = local.platform
  limits   = { concurrency = lookup(var.reserved_concurrency, "stream-generate", null) }
  # A message larger than the stream takes goes to where the stream would have put it.
  writes  = { raw_iot_sensors = module.dataset["raw_iot_sensors"].dataset }
  streams = { iot_firehose = module.iot_firehose.stream }
  variables = {
    CITIES           = jsonencode(local.cities)
    FIREHOSE_NAME    = module.iot_firehose.stream.name
    SENSORS_PER_CITY = var.sensors_per_city
  }
}

module "stream_validate" {
  source    = "../../modules/function"
  name      = "stream-validate"
  platform  = local.platform
  limits    = { timeout_seconds = 60, concurrency = lookup(var.reserved_concurrency, "stream-validate", null) }
  variables = { METRICS_NAMESPACE = local.platform.project }
}

module "iot_firehose" {
  source    = "../../modules/delivery_stream"
  name      = "iot-firehose"
  platform  = local.platform
  dataset   = module.dataset["raw_iot_sensors"].dataset
  validator = module.stream_validate.function
}
