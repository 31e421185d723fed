# One page about a pipeline: what rings, how old data is, what flows, whether it is right, what it costs.

module "page" {
  source   = "../dashboard"
  name     = local.name
  alarms   = var.registered.alarms
  graphs   = [for graph in local._graphs : graph if length(graph.metrics) > 0]
  platform = var.platform
}

locals {
  name = "${local._project}-${replace(var.platform.pipeline, "_", "-")}-${local._environment}"

  _project     = var.platform.project
  _environment = var.platform.environment

  _curated = [for name in keys(var.registered.repairs) : { dataset = name, dimensions = ["Environment", local._environment, "Dataset", name] }]
  _steps   = ["IncomingRecords", "SucceedProcessing.Records", "DeliveryToS3.Records"]
  _fates   = ["RecordsNew", "RecordsReplaced", "RecordsDuplicate", "RecordsQuarantined"]

  _graphs = [
    {
      title     = "Age of data, % of what its contract promises"
      statistic = "Maximum"
      seconds   = 300
      limit     = 100
      metrics = concat(
        [for name, seconds in var.registered.freshness : [{ id = "share_${name}", label = name, expression = "100 * ${name} / ${seconds}" }]],
        [for name in keys(var.registered.freshness) :
        [local._project, "Freshness", "Environment", local._environment, "Dataset", name, { id = name, visible = false }]],
      )
    },
    {
      title     = "Messages an hour: accepted, validated, stored"
      statistic = "Sum"
      seconds   = 3600
      metrics = concat([], [for stream in values(var.registered.streams) :
      [for step in local._steps : ["AWS/Firehose", step, "DeliveryStreamName", stream]]]...)
    },
    {
      title     = "Records an hour: what became of them"
      statistic = "Sum"
      seconds   = 3600
      metrics = concat([], [for of in local._curated :
      [for fate in local._fates : concat([local._project, fate], of.dimensions, [{ label = "${of.dataset} ${fate}" }])]]...)
    },
    {
      title     = "Quarantined records of a run, ratio"
      statistic = "Maximum"
      seconds   = 3600
      limit     = var.highest_quarantine_ratio
      metrics   = [for of in local._curated : concat([local._project, "QuarantineRatio"], of.dimensions, [{ label = of.dataset }])]
    },
    {
      title     = "Refused messages and unreconciled records"
      statistic = "Sum"
      seconds   = 3600
      metrics = concat(
        [for stream in values(var.registered.streams) : [local._project, "RecordsRefused", "Environment", local._environment, "DeliveryStreamName", stream]],
        [for of in local._curated : concat([local._project, "RecordsUnreconciled"], of.dimensions, [{ label = of.dataset }])],
      )
    },
    {
      title     = "Runs an hour that succeeded and that failed"
      statistic = "Sum"
      seconds   = 3600
      metrics = concat([], [for of in local._curated : [for end in ["RunsSucceeded", "RunsFailed"] :
      concat([local._project, end], of.dimensions, [{ label = "${of.dataset} ${end}" }])]]...)
    },
    {
      title     = "Cost: milliseconds of Glue jobs a day, each on two DPUs"
      statistic = "Sum"
      seconds   = 86400
      metrics   = [for job in concat(values(var.registered.jobs), values(var.registered.operations)) : ["Glue", "glue.driver.aggregate.elapsedTime", "JobName", job, "JobRunId", "ALL", "Type", "count"]]
    },
    {
      title     = "Cost: milliseconds of functions a day"
      statistic = "Sum"
      seconds   = 86400
      metrics   = [for function in values(var.registered.functions) : ["AWS/Lambda", "Duration", "FunctionName", function]]
    },
    {
      title     = "Cost: bytes a day into Firehose"
      statistic = "Sum"
      seconds   = 86400
      metrics   = [for stream in values(var.registered.streams) : ["AWS/Firehose", "IncomingBytes", "DeliveryStreamName", stream]]
    },
  ]
}
