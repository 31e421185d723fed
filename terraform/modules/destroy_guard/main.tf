# Deleting data needs two switches: allow_destroy, which must have been applied before, and CONFIRM in the environment of the
# command that destroys. The caller makes the guard depend on all else in its root, so it goes first; when it refuses, nothing
# has been touched.

resource "terraform_data" "destroy_guard" {
  input = { allow_destroy = tostring(var.allow_destroy), environment = var.environment }

  provisioner "local-exec" {
    when        = destroy
    quiet       = true
    environment = self.output
    command     = <<-EOT
      if [ "$allow_destroy" != true ]; then
        echo "Refused: '$environment' is not to be destroyed. Set allow_destroy = true in its tfvars and apply that first." >&2
        exit 1
      fi
      if [ "$CONFIRM" != "$environment" ]; then
        echo "Refused: all data of '$environment' would be lost. If that is meant, give CONFIRM=$environment." >&2
        exit 1
      fi
    EOT
  }
}
