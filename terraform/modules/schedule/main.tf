# A schedule that starts one thing, tries again when that fails, and keeps what could not be started.

locals {
  name = format(var.platform.naming, var.name)
}

resource "aws_scheduler_schedule" "this" {
  name                         = local.name
  schedule_expression          = var.expression
  schedule_expression_timezone = "UTC"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = var.target.arn
    role_arn = module.role.role.arn
    # jsonencode writes < and > as \u003c and \u003e, and the scheduler then does not see its own placeholders.
    input = replace(replace(jsonencode(var.target.input), "\\u003c", "<"), "\\u003e", ">")

    retry_policy {
      maximum_event_age_in_seconds = 3600
      maximum_retry_attempts       = 3
    }

    dead_letter_config {
      arn = var.platform.dead_letters_arn
    }
  }
}

module "role" {
  source     = "../role"
  name       = "${local.name}-schedule"
  service    = "scheduler.amazonaws.com"
  account_id = var.platform.account_id
  roles      = var.platform.roles
  statements = {
    Start           = { Action = [var.target.action], Resource = [var.target.resource] }
    SendDeadLetters = { Action = ["sqs:SendMessage"], Resource = [var.platform.dead_letters_arn] }
  }
}
