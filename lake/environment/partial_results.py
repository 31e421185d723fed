"""A look at the lake in parts: one that cannot be read says why, and does not keep the others from being seen."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from lake.core.errors import LakeError

Value = TypeVar("Value")


@dataclass(frozen=True)
class Part(Generic[Value]):
    """What was read, and from where; ``value`` is None when it could not be, ``failure`` then says why."""

    source: str
    value: Value | None
    failure: str = ""


def read(source: str, reading: Callable[[], Value]) -> Part[Value]:
    """Read one part; ``source`` says where its numbers come from."""
    try:
        return Part(source, reading())
    except ClientError as error:
        about = error.response["Error"]
        return Part(source, None, f"{about['Code']}: {about.get('Message', error.operation_name)}")
    except (LakeError, BotoCoreError) as error:
        return Part(source, None, f"{type(error).__name__}: {error}")
