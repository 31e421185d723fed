"""The metrics that have data, from metrics.yaml."""

from collections.abc import Iterable
from pathlib import Path

import yaml

Metric = tuple[str, str, frozenset[str]]


def catalogue(project: str) -> set[Metric]:
    """Namespace, name and names of the dimensions of every metric; ours are in the namespace ``project``."""
    listed = yaml.safe_load((Path(__file__).parent / "metrics.yaml").read_text(encoding="utf-8"))
    return {
        metric(project if namespace == "project" else namespace, name, entry["dimensions"])
        for namespace, entries in listed.items()
        for entry in entries
        for name in entry["metrics"]
    }


def metric(namespace: str, name: str, dimensions: Iterable[str]) -> Metric:
    """One entry; of ``dimensions`` only the names count."""
    return namespace, name, frozenset(dimensions)
