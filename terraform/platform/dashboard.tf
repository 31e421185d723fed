# One page to look at: what rings, how old data is, what flows, whether it is right, what it costs.

locals {
  _pipelines = [module.weather_iot.pipeline]
  _promises  = merge(local._pipelines[*].promises...)
  _streams   = flatten([for pipeline in local._pipelines : values(pipeline.streams)])
  _jobs      = flatten([for pipeline in local._pipelines : values(pipeline.jobs)])
  _functions = concat(flatten([for pipeline in local._pipelines : values(pipeline.functions)]), [module.watch.function.name])
  _alarms    = concat(flatten(local._pipelines[*].alarms), [for alarm in module.alarm : alarm.alarm.name])

  # The first part of a metric of ours, and of Firehose's.
  _ours     = [for name in local.watched.curated : { dataset = name, dimensions = ["Environment", var.environment, "Dataset", name] }]
  _firehose = ["IncomingRecords", "SucceedProcessing.Records", "DeliveryToS3.Records"]
  _fates    = ["RecordsNew", "RecordsReplaced", "RecordsDuplicate", "RecordsQuarantined"]

  graphs = [
    {
      title     = "Age of data, % of what its contract promises"
      statistic = "Maximum"
      seconds   = 300
      limit     = 100
      metrics = concat(
        [for name, seconds in local._promises : [{ id = "share_${name}", label = name, expression = "100 * ${name} / ${seconds}" }]],
        [for name in keys(local._promises) :
        [var.project, "Freshness", "Environment", var.environment, "Dataset", name, { id = name, visible = false }]],
      )
    },
    {
      title     = "Messages an hour: accepted, validated, stored"
      statistic = "Sum"
      seconds   = 3600
      metrics = concat([for stream in local._streams :
      [for hop in local._firehose : ["AWS/Firehose", hop, "DeliveryStreamName", stream]]]...)
    },
    {
      title     = "Records an hour: what became of them"
      statistic = "Sum"
      seconds   = 3600
      metrics = concat([for of in local._ours :
      [for fate in local._fates : concat([var.project, fate], of.dimensions, [{ label = "${of.dataset} ${fate}" }])]]...)
    },
    {
      title     = "Quarantined records of a run, ratio"
      statistic = "Maximum"
      seconds   = 3600
      limit     = 0.05
      metrics   = [for of in local._ours : concat([var.project, "QuarantineRatio"], of.dimensions, [{ label = of.dataset }])]
    },
    {
      title     = "Refused messages and records not accounted for"
      statistic = "Sum"
      seconds   = 3600
      metrics = concat(
        [for stream in local._streams : [var.project, "RecordsRefused", "Environment", var.environment, "DeliveryStreamName", stream]],
        [for of in local._ours : concat([var.project, "RecordsUnaccounted"], of.dimensions, [{ label = of.dataset }])],
      )
    },
    {
      title     = "Runs an hour that succeeded and that failed"
      statistic = "Sum"
      seconds   = 3600
      metrics = concat([for of in local._ours : [for end in ["RunsSucceeded", "RunsFailed"] :
      concat([var.project, end], of.dimensions, [{ label = "${of.dataset} ${end}" }])]]...)
    },
    {
      title     = "Cost: milliseconds of Glue jobs a day, each on two DPUs"
      statistic = "Sum"
      seconds   = 86400
      metrics   = [for job in local._jobs : ["Glue", "glue.driver.aggregate.elapsedTime", "JobName", job, "JobRunId", "ALL", "Type", "count"]]
    },
    {
      title     = "Cost: milliseconds of functions a day"
      statistic = "Sum"
      seconds   = 86400
      metrics   = [for function in local._functions : ["AWS/Lambda", "Duration", "FunctionName", function]]
    },
    {
      title     = "Cost: bytes a day into Firehose and read by Athena"
      statistic = "Sum"
      seconds   = 86400
      metrics = concat(
        [for stream in local._streams : ["AWS/Firehose", "IncomingBytes", "DeliveryStreamName", stream]],
        [["AWS/Athena", "ProcessedBytes", "QueryState", "SUCCEEDED", "QueryType", "DML", "WorkGroup", aws_athena_workgroup.analytics.name]],
      )
    },
    {
      title     = "Cost: bytes in S3"
      statistic = "Average"
      seconds   = 86400
      metrics = [for class in ["StandardStorage", "StandardIAStorage"] :
      ["AWS/S3", "BucketSizeBytes", "BucketName", module.lake_bucket.bucket.name, "StorageType", class]]
    },
  ]
}

resource "aws_cloudwatch_dashboard" "lake" {
  dashboard_name = "${var.project}-${var.environment}"
  dashboard_body = jsonencode({ widgets = concat(
    [{
      type       = "alarm", x = 0, y = 0, width = 24, height = 5
      properties = { title = "Alarms", alarms = [for name in local._alarms : "arn:aws:cloudwatch:${var.region}:${var.account_id}:alarm:${name}"] }
    }],
    [for number, graph in local.graphs : {
      type = "metric", x = number % 2 * 12, y = 5 + floor(number / 2) * 6, width = 12, height = 6
      properties = merge(
        { title = graph.title, region = var.region, stat = graph.statistic, period = graph.seconds, metrics = graph.metrics },
        can(graph.limit) ? { annotations = { horizontal = [{ label = "alarm", value = graph.limit }] } } : {},
      )
    }],
  ) })
}
