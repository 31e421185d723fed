"""Repairs that run on the operator's own machine, with the operator's rights."""
