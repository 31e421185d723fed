# What people are told of besides what the pipelines tell. Each alarm has the section of its name in RUNBOOK.md.

locals {
  _measured = { namespace = var.project, dimensions = { Environment = var.environment } }

  alarms = merge(local._platform_alarms, local._audit_alarms)

  _platform_alarms = {
    dead-letters = {
      description = "Starts or invocations that failed for good wait in the dead-letter queue."
      metric = {
        namespace  = "AWS/SQS"
        name       = "ApproximateNumberOfMessagesVisible"
        dimensions = { QueueName = aws_sqs_queue.dead_letters.name }
        statistic  = "Maximum"
      }
      evaluation = { threshold = 0 }
    }
    key-unusable = {
      description = "Nobody can read or write what is encrypted with it: a KMS key is disabled or is to be deleted."
      metric      = merge(local._measured, { name = "KeysUnusable", statistic = "Maximum" })
      evaluation  = { threshold = 0 }
    }
    lock-age = {
      description = "A dataset has been locked for more than two hours, so no run can bring it up to date."
      metric      = merge(local._measured, { name = "LockAge", statistic = "Maximum" })
      evaluation  = { threshold = 7200 }
    }
    alerts-unheard = {
      description = "Nobody receives alarms: no address has confirmed its subscription, or it was ended."
      metric      = merge(local._measured, { name = "AlertSubscriptions", statistic = "Minimum" })
      evaluation  = { threshold = 1, comparison = "LessThanThreshold" }
      also_tell   = [for topic in aws_sns_topic.second : topic.arn]
    }
    # A look every five minutes leaves four of five periods empty, and CloudWatch goes on as long as it finds one that is
    # not: more than ten minutes of silence make an alarm, one late look does not.
    watch-heartbeat = {
      description = "Nothing measures freshness, locks and keys any more, so their alarms say nothing."
      metric      = merge(local._measured, { name = "Heartbeat", statistic = "Sum" })
      evaluation = {
        comparison     = "LessThanThreshold"
        threshold      = 1
        period_seconds = 60
        periods        = 10
        missing        = "breaching"
      }
    }
    watch-errors = {
      description = "Freshness, locks or keys could not all be measured: an invocation of watch failed."
      metric      = merge(module.watch.function.metric, { name = "Errors", statistic = "Sum" })
      evaluation  = { threshold = 0 }
    }
  }
}

module "alarm" {
  source      = "../modules/alarm"
  for_each    = local.alarms
  name        = each.key
  description = each.value.description
  metric      = each.value.metric
  evaluation  = each.value.evaluation
  also_tell   = try(each.value.also_tell, [])
  platform    = local.lake
}
