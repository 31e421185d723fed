# A page of graphs below a list of alarms, two graphs in a row.

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name
  dashboard_body = jsonencode({ widgets = concat(
    [{
      type       = "alarm", x = 0, y = 0, width = 24, height = 5
      properties = { title = "Alarms", alarms = [for name in var.alarms : "arn:aws:cloudwatch:${var.platform.region}:${var.platform.account_id}:alarm:${name}"] }
    }],
    [for number, graph in var.graphs : {
      type = "metric", x = number % 2 * 12, y = 5 + floor(number / 2) * 6, width = 12, height = 6
      properties = merge(
        { title = graph.title, region = var.platform.region, stat = graph.statistic, period = graph.seconds, metrics = graph.metrics },
        try(graph.limit, null) != null ? { annotations = { horizontal = [{ label = "alarm", value = graph.limit }] } } : {},
      )
    }],
  ) })
}
