# What a pipeline learns of the deployed platform from its SSM parameter, and how the pipeline's own resources are named.

data "aws_ssm_parameter" "platform" {
  name = "/lake/${var.project}/${var.environment}"
}

locals {
  _platform = jsondecode(data.aws_ssm_parameter.platform.insecure_value)
  _infix    = var.named_without_pipeline ? "" : "${replace(var.pipeline, "_", "-")}-"

  _repository = "${path.module}/../../.."
  _contracts  = "${local._repository}/contracts"
}
