variable "name" {
  description = "Short name, for example iot-firehose."
  type        = string
}

variable "dataset" {
  description = "Dataset that receives the objects."
  type        = object({ prefix = string })
}

variable "validator" {
  description = "Function that judges every record: a Firehose data transformation."
  type        = object({ arn = string })
}

variable "platform" {
  description = "What the platform gives."
  type = object({
    naming     = string
    region     = string
    account_id = string
    roles      = object({ path = string, permissions_boundary = string })
    bucket_arn = string
    key_arn    = string
  })
}
