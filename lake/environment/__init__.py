"""A read-only view of a deployed environment: datasets, health, alarms, usage, cost."""
