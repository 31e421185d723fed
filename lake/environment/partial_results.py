"""Partial results: sources are read independently; a failed one carries its error instead of failing the view."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from lake.core.errors import LakeError

Value = TypeVar("Value")


@dataclass(frozen=True)
class PartialResult(Generic[Value]):
    """The value of one ``source``; ``value`` is None when reading failed, and ``failure`` then has the reason."""

    source: str
    value: Value | None
    failure: str = ""


def read(source: str, reading: Callable[[], Value]) -> PartialResult[Value]:
    """Call ``reading`` and return its value, or its AWS or lake error as ``failure``; ``source`` names the origin."""
    try:
        return PartialResult(source, reading())
    except ClientError as error:
        about = error.response["Error"]
        return PartialResult(source, None, f"{about['Code']}: {about.get('Message', error.operation_name)}")
    except (LakeError, BotoCoreError) as error:
        return PartialResult(source, None, f"{type(error).__name__}: {error}")
