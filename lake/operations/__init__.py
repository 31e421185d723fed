"""The operations of a Glue job on a dataset, one module for each verb of the runbook."""
