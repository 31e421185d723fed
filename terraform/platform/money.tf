# Who hears of money before the bill comes. Budgets and Cost Explorer are global: the provider asks them in us-east-1, whatever the
# region. They write to the addresses themselves: a topic would need a policy and a key that let them.

locals {
  _told = compact([var.alert_email, var.second_alert_email])
  # What provider "aws" gives to all; "user:" is AWS's word for tags that customers make.
  _counted = var.budget.by_tags ? [format("user:project$%s", var.project), format("user:environment$%s", var.environment)] : []
  # Share of the budget in percent => whether it is spent or foretold.
  _warnings = { 80 = "ACTUAL", 100 = "FORECASTED" }
}

resource "aws_budgets_budget" "monthly" {
  name         = format(local.naming, "monthly")
  budget_type  = "COST"
  time_unit    = "MONTHLY"
  limit_amount = tostring(var.budget.monthly_usd)
  limit_unit   = "USD"

  dynamic "cost_filter" {
    for_each = var.budget.by_tags ? { TagKeyValue = local._counted } : {}
    content {
      name   = cost_filter.key
      values = cost_filter.value
    }
  }

  dynamic "notification" {
    for_each = local._warnings
    content {
      comparison_operator        = "GREATER_THAN"
      threshold                  = tonumber(notification.key)
      threshold_type             = "PERCENTAGE"
      notification_type          = notification.value
      subscriber_email_addresses = local._told
    }
  }
}

# Only where it is asked for: an account has one from AWS that looks at its services, and what is told by tag needs tags that the
# billing account has activated. A monitor of one's own can look at one tag, so all environments of the project are in it.
resource "aws_ce_anomaly_monitor" "project" {
  count        = var.budget.anomaly_usd == null ? 0 : 1
  name         = format(local.naming, "anomalies")
  monitor_type = "CUSTOM"
  monitor_specification = jsonencode({
    And            = null
    CostCategories = null
    Dimensions     = null
    Not            = null
    Or             = null
    Tags           = { Key = "user:project", MatchOptions = null, Values = [var.project] }
  })
}

resource "aws_ce_anomaly_subscription" "project" {
  count            = length(aws_ce_anomaly_monitor.project)
  name             = format(local.naming, "anomalies")
  frequency        = "DAILY"
  monitor_arn_list = aws_ce_anomaly_monitor.project[*].arn

  dynamic "subscriber" {
    for_each = local._told
    content {
      type    = "EMAIL"
      address = subscriber.value
    }
  }

  threshold_expression {
    dimension {
      key           = "ANOMALY_TOTAL_IMPACT_ABSOLUTE"
      match_options = ["GREATER_THAN_OR_EQUAL"]
      values        = [tostring(var.budget.anomaly_usd)]
    }
  }
}
