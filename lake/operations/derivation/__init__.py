"""Datasets that are derived from all rows of other datasets."""
