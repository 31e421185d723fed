# One page about the pipeline: what rings, how old data is, what flows, whether it is right, what it costs.

module "dashboard" {
  source   = "../../modules/dashboard"
  name     = local.dashboard
  alarms   = [for alarm in module.alarm : alarm.alarm.name]
  graphs   = local._graphs
  platform = local.platform
}

locals {
  dashboard = "${var.project}-${replace(local.pipeline, "_", "-")}-${var.environment}"

  _curated = [for name, dataset in module.dataset : { dataset = name, dimensions = ["Environment", var.environment, "Dataset", name] }
  if dataset.dataset.quarantine != null]
  _hops  = ["IncomingRecords", "SucceedProcessing.Records", "DeliveryToS3.Records"]
  _fates = ["RecordsNew", "RecordsReplaced", "RecordsDuplicate", "RecordsQuarantined"]

  _graphs = [
    {
      title     = "Age of data, % of what its contract promises"
      statistic = "Maximum"
      seconds   = 300
      limit     = 100
      metrics = concat(
        [for name, seconds in local.registered.freshness : [{ id = "share_${name}", label = name, expression = "100 * ${name} / ${seconds}" }]],
        [for name in keys(local.registered.freshness) :
        [var.project, "Freshness", "Environment", var.environment, "Dataset", name, { id = name, visible = false }]],
      )
    },
    {
      title     = "Messages an hour: accepted, validated, stored"
      statistic = "Sum"
      seconds   = 3600
      metrics = concat([for stream in values(local.registered.streams) :
      [for hop in local._hops : ["AWS/Firehose", hop, "DeliveryStreamName", stream]]]...)
    },
    {
      title     = "Records an hour: what became of them"
      statistic = "Sum"
      seconds   = 3600
      metrics = concat([for of in local._curated :
      [for fate in local._fates : concat([var.project, fate], of.dimensions, [{ label = "${of.dataset} ${fate}" }])]]...)
    },
    {
      title     = "Quarantined records of a run, ratio"
      statistic = "Maximum"
      seconds   = 3600
      limit     = local.highest_quarantine_ratio
      metrics   = [for of in local._curated : concat([var.project, "QuarantineRatio"], of.dimensions, [{ label = of.dataset }])]
    },
    {
      title     = "Refused messages and records not accounted for"
      statistic = "Sum"
      seconds   = 3600
      metrics = concat(
        [for stream in values(local.registered.streams) : [var.project, "RecordsRefused", "Environment", var.environment, "DeliveryStreamName", stream]],
        [for of in local._curated : concat([var.project, "RecordsUnaccounted"], of.dimensions, [{ label = of.dataset }])],
      )
    },
    {
      title     = "Runs an hour that succeeded and that failed"
      statistic = "Sum"
      seconds   = 3600
      metrics = concat([for of in local._curated : [for end in ["RunsSucceeded", "RunsFailed"] :
      concat([var.project, end], of.dimensions, [{ label = "${of.dataset} ${end}" }])]]...)
    },
    {
      title     = "Cost: milliseconds of Glue jobs a day, each on two DPUs"
      statistic = "Sum"
      seconds   = 86400
      metrics   = [for job in concat(values(local.registered.jobs), values(local.registered.operations)) : ["Glue", "glue.driver.aggregate.elapsedTime", "JobName", job, "JobRunId", "ALL", "Type", "count"]]
    },
    {
      title     = "Cost: milliseconds of functions a day"
      statistic = "Sum"
      seconds   = 86400
      metrics   = [for function in values(local.registered.functions) : ["AWS/Lambda", "Duration", "FunctionName", function]]
    },
    {
      title     = "Cost: bytes a day into Firehose"
      statistic = "Sum"
      seconds   = 86400
      metrics   = [for stream in values(local.registered.streams) : ["AWS/Firehose", "IncomingBytes", "DeliveryStreamName", stream]]
    },
  ]
}
