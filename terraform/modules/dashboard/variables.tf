variable "name" {
  description = "Name of the dashboard."
  type        = string
}

variable "alarms" {
  description = "Names of the alarms at its head."
  type        = list(string)
}

variable "graphs" {
  description = "Graphs in order: title, statistic, seconds of a period, metrics as CloudWatch takes them and, where an alarm rings, its limit."
  type        = any
}

variable "platform" {
  description = "What the platform gives."
  type        = object({ region = string, account_id = string })
}
