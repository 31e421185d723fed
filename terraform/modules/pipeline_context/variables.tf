variable "project" {
  description = "First part of all names."
  type        = string
}

variable "environment" {
  description = "dev or prod."
  type        = string
}

variable "pipeline" {
  description = "Name of the pipeline, which is the name of its folders."
  type        = string
}

variable "named_without_pipeline" {
  description = "Whether names are <project>-<short>-<environment>, without the pipeline: for names that are older than the second pipeline."
  type        = bool
  default     = false
}
