variable "project" {
  description = "First part of all names."
  type        = string
}

variable "bucket_prefix" {
  description = "First part of the names of buckets."
  type        = string
}

variable "environment" {
  description = "dev or prod."
  type        = string
}

variable "region" {
  description = "Region of all resources."
  type        = string
}

variable "account_id" {
  description = "Account of all resources."
  type        = string
}

variable "alert_email" {
  description = "Address that receives alarms."
  type        = string
}

variable "allow_destroy" {
  description = "First of the two switches that deleting data needs; see envs/<env>/main.tf."
  type        = bool
}

variable "first_pseudonym_key" {
  description = "Random text from which the first version of all pseudonyms is made. Used once, kept in no plan and no state."
  type        = string
  ephemeral   = true
  sensitive   = true
}

variable "weather_iot" {
  description = "Settings of the pipeline weather_iot; its 0_inputs.tf explains them."
  type        = any
}
