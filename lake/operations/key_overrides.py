"""Overrides of the key version for single days; other days follow the schedule of the secret.

The overrides are an object that runs replace like a partition file, so that they change and roll back with the rows.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from lake.contract.model import Contract
from lake.core.errors import LakeError
from lake.operations.context import SparkRunContext
from lake.pseudonyms.keys import KeyVersion

NO_OVERRIDES = b"[]"


class NoSuchVersion(LakeError):
    """The secret holds no key of that version."""


@dataclass(frozen=True)
class KeyOverride:
    """A key version for the events of some days, ``first`` and ``last`` included, ISO 8601."""

    first: str
    last: str
    version: int


def object_key(context: SparkRunContext, target: Contract) -> str:
    """Return the key of the object with a dataset's overrides."""
    return f"{context.manifests.prefix}{target.name}/tokens.json"


def stored(context: SparkRunContext, target: Contract) -> tuple[KeyOverride, ...]:
    """Return the overrides of a dataset, oldest first; later ones win."""
    bucket, key = context.manifests.bucket, object_key(context, target)
    body = context.storage.read(bucket, key) if context.storage.etag(bucket, key) else NO_OVERRIDES
    return tuple(KeyOverride(**entry) for entry in json.loads(body))


def encoded(overrides: Iterable[KeyOverride]) -> bytes:
    """Return the overrides as the content of their object, JSON."""
    return json.dumps([asdict(override) for override in overrides]).encode()


def schedule(context: SparkRunContext, target: Contract) -> tuple[KeyVersion, ...]:
    """Return the key versions by event time for a dataset, overrides included."""
    return with_overrides(context.keys, stored(context, target)) if target.encrypted else context.keys


def with_overrides(versions: tuple[KeyVersion, ...], overrides: Iterable[KeyOverride]) -> tuple[KeyVersion, ...]:
    """Return the schedule with these overrides, later ones over earlier ones.

    Raises NoSuchVersion for a version that the secret lacks.
    """
    keys = {version.version: version for version in versions}
    for override in overrides:
        if override.version not in keys:
            raise NoSuchVersion(
                f"there is no key of version {override.version}; there are {', '.join(map(str, sorted(keys)))}"
            )
        start, end = _midnight(override.first), _midnight(override.last) + timedelta(days=1)
        others = tuple(part for version in versions for part in _without(version, start, end))
        versions = (*others, replace(keys[override.version], valid_from=start, valid_until=end))
    return versions


def _without(version: KeyVersion, start: datetime, end: datetime) -> Iterator[KeyVersion]:
    """Yield the parts of a version's time outside ``start`` to ``end``."""
    if version.valid_from < start:
        yield replace(version, valid_until=min(version.valid_until, start))
    if version.valid_until > end:
        yield replace(version, valid_from=max(version.valid_from, end))


def _midnight(day: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), time(), UTC)
