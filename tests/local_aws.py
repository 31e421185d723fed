"""One localaws for a test session: a process of its own on a free port, with its state in a temporary folder."""

from localaws.client import REPOSITORY, LocalAws, running

__all__ = ["REPOSITORY", "LocalAws", "running"]
