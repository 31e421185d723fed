variable "name" {
  description = "Short name of what is started."
  type        = string
}

variable "expression" {
  description = "rate(…) or cron(…), in UTC."
  type        = string
}

variable "target" {
  description = "What the scheduler calls with which input, and the one action on one resource that its role needs for it."
  type        = object({ arn = string, input = map(string), action = string, resource = string })
}

variable "platform" {
  description = "What the platform gives."
  type = object({
    naming           = string
    account_id       = string
    dead_letters_arn = string
    roles            = object({ path = string, permissions_boundary = string })
  })
}
