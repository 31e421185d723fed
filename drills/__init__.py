"""Faults, injected for real, and the runbook that mends them."""
