output "pipeline" {
  description = "Names of the pipeline's parts, and how many seconds old its datasets may get."
  value = {
    functions = {
      batch_ingest    = module.batch_ingest.function.name
      stream_generate = module.stream_generate.function.name
      stream_validate = module.stream_validate.function.name
    }
    streams = { iot_firehose = module.iot_firehose.stream.name }
    jobs    = { transform = module.transform.job.name }
    # Jobs that do one operation, started by hand.
    operations = { erase = module.erase.job.name }
    datasets   = { for name, dataset in module.dataset : name => dataset.dataset.uri }
    promises = { for name, dataset in module.dataset : name => dataset.dataset.freshness_seconds
    if dataset.dataset.freshness_seconds != null }
    alarms = [for alarm in module.alarm : alarm.alarm.name]
  }
}
