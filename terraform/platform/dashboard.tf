# One page about what the pipelines share; each pipeline has a page of its own.

module "dashboard" {
  source   = "../modules/dashboard"
  name     = "${var.project}-${var.environment}"
  alarms   = [for alarm in module.alarm : alarm.alarm.name]
  platform = local.lake
  graphs = [
    {
      title     = "Oldest lock of a dataset, seconds"
      statistic = "Maximum"
      seconds   = 300
      limit     = 7200
      metrics   = [[var.project, "LockAge", "Environment", var.environment]]
    },
    {
      title     = "Looks of the monitor, and keys that cannot be used"
      statistic = "Sum"
      seconds   = 300
      metrics   = [for name in ["Heartbeat", "KeysUnusable"] : [var.project, name, "Environment", var.environment]]
    },
    {
      title     = "Cost: milliseconds of the monitor a day"
      statistic = "Sum"
      seconds   = 86400
      metrics   = [["AWS/Lambda", "Duration", "FunctionName", module.watch.function.name]]
    },
    {
      title     = "Cost: bytes a day read by Athena"
      statistic = "Sum"
      seconds   = 86400
      metrics   = [["AWS/Athena", "ProcessedBytes", "QueryState", "SUCCEEDED", "QueryType", "DML", "WorkGroup", aws_athena_workgroup.analytics.name]]
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
