"""What a Glue job can do to a dataset: one module for each verb of the runbook."""
