"""Judge plans of Terraform before anybody applies them: what must not go, who may do more, what it costs."""
