# The index of the system: one block for each pipeline.

module "weather_iot" {
  source   = "../pipelines/weather_iot"
  lake     = local.lake
  settings = var.weather_iot
}
