"""Every test of the repository has a tier, also those of localaws: see tests/tiers.py."""

pytest_plugins = ["tests.tiers", "pytester"]
