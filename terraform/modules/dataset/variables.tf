variable "contract" {
  description = "Path of the contract, contracts/<pipeline>/<dataset>.yaml."
  type        = string
}

variable "quarantine_contract" {
  description = "Path of the contract that every quarantine follows."
  type        = string
}

variable "platform" {
  description = "Where the dataset lives, and who may query it where."
  type = object({
    account_id         = string
    bucket             = string
    database           = string
    workgroup          = string
    analysts_workgroup = string
    analyst_role       = string
    lake_formation     = bool
  })
}
