variable "name" {
  description = "Short name, for example batch-ingest; its package is the artefact <pipeline>/batch_ingest.zip."
  type        = string
}

variable "platform" {
  description = "What the platform gives."
  type = object({
    naming           = string
    environment      = string
    region           = string
    account_id       = string
    roles            = object({ path = string, permissions_boundary = string })
    bucket_arn       = string
    key_arn          = string
    dead_letters_arn = string
    artifacts        = string
  })
}

variable "writes" {
  description = "Name => dataset that the function puts objects into."
  type        = map(object({ prefix = string, uri = string }))
  default     = {}
}

variable "streams" {
  description = "Name => delivery stream that the function puts records into."
  type        = map(object({ arn = string }))
  default     = {}
}

variable "statements" {
  description = "What else the function may do: statement id => Action, Resource and, where needed, Condition."
  type        = any
  default     = {}
}

variable "variables" {
  description = "Further environment variables. Never a secret: pass its ARN."
  type        = map(string)
  default     = {}
}

variable "limits" {
  description = "Seconds, memory, and the simultaneous invocations that are reserved for the function and its limit; null: none."
  type = object({
    timeout_seconds = optional(number, 120)
    memory_mb       = optional(number, 256)
    concurrency     = optional(number)
  })
  default = {}
}
