"""The lake on one page: flow, freshness, quality, quarantine, alarms, runs and cost."""
