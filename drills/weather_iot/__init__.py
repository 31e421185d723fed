"""The drills of the pipeline weather_iot, a module for each scenario of the runbook."""
