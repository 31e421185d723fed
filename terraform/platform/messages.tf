resource "aws_sns_topic" "alerts" {
  name = format(local.naming, "alerts")
  # A key of our own: alarms cannot publish to a topic that is encrypted with the key of SNS.
  kms_master_key_id = aws_kms_key.alerts.arn
}

resource "aws_sns_topic_subscription" "alerts" {
  topic_arn = aws_sns_topic.alerts.arn
  protocol  = "email"
  endpoint  = var.alert_email
}

# Whoever gets the mails can end them with one click, and nobody would hear of that by the same way.
resource "aws_sns_topic" "second" {
  for_each          = toset(compact([var.second_alert_email]))
  name              = format(local.naming, "alerts-second")
  kms_master_key_id = aws_kms_key.alerts.arn
}

resource "aws_sns_topic_subscription" "second" {
  for_each  = aws_sns_topic.second
  topic_arn = each.value.arn
  protocol  = "email"
  endpoint  = each.key
}

resource "aws_sns_topic_policy" "second" {
  for_each = aws_sns_topic.second
  arn      = each.value.arn
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [merge(local._alarms_publish, { Resource = each.value.arn })]
  })
}

locals {
  _alarms_publish = {
    Sid       = "Alarms"
    Effect    = "Allow"
    Principal = { Service = "cloudwatch.amazonaws.com" }
    Action    = "sns:Publish"
    Condition = { StringEquals = { "aws:SourceAccount" = local.account_id } }
  }
}

resource "aws_sns_topic_policy" "alerts" {
  arn = aws_sns_topic.alerts.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      merge(local._alarms_publish, { Resource = aws_sns_topic.alerts.arn }),
      {
        # EventBridge does not support conditions in the policy of a topic.
        Sid       = "Events"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.alerts.arn
      },
    ]
  })
}

# Starts and invocations that failed for good.
resource "aws_sqs_queue" "dead_letters" {
  name                      = format(local.naming, "dead-letters")
  message_retention_seconds = 14 * 24 * 3600
  sqs_managed_sse_enabled   = true
}

resource "aws_sqs_queue_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Rules"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = aws_sqs_queue.dead_letters.arn
        Condition = { ArnLike = {
          "aws:SourceArn" = "arn:aws:events:${var.region}:${local.account_id}:rule/${format(local.naming, "*")}"
        } }
      },
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = aws_sqs_queue.dead_letters.arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}
