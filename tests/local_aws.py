"""One localaws for a test session: a process of its own on a free port, with its state in a temporary folder."""

from pathlib import Path

from localaws.client import LocalAws, running

__all__ = ["REPOSITORY", "LocalAws", "running"]

REPOSITORY = Path(__file__).parents[1]
