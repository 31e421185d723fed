"""The manifest of a run: the objects that it read and the partition files that it replaces.

A run writes its manifest once, before it publishes anything.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

from lake.core.counts import NOTHING, Counts
from lake.core.s3 import StoredObject
from lake.tables.base import TableChange

# How many of the objects that it has read a row of pipeline_runs names; the manifest names all.
NAMED_OBJECTS = 1000
Kind = Literal["refresh", "replay", "discard", "backfill", "undo", "rekey", "erase"]


@dataclass(frozen=True)
class Manifest:
    """The changes that a prepared run publishes. ``started_at`` and ``ended_at`` are ISO 8601, UTC.

    ``source`` is the dataset that the ``objects`` belong to. If the run has ``claimed`` them, the commit marks each
    with its counts of ``by_object`` (by key). ``details`` are further facts for the ledger: text, integers, lists.
    The commit records the days of inputs that a derived dataset is ``made_of``.
    """

    run_id: str
    dataset: str
    kind: Kind
    source: str
    started_at: str
    ended_at: str
    fencing_token: int
    code_version: str
    claimed: bool = False
    objects: tuple[StoredObject, ...] = ()
    counts: Counts = NOTHING
    by_object: Mapping[str, Counts] = field(default_factory=dict)
    partition_files: tuple[TableChange, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    made_of: tuple[StoredObject, ...] = ()

    def encoded(self) -> bytes:
        """Return the manifest as JSON with sorted keys, so that equal manifests have equal bytes."""
        return json.dumps(asdict(self), sort_keys=True, default=_iso).encode()

    @staticmethod
    def decoded(body: bytes) -> "Manifest":
        """Return the manifest in these bytes, which ``encoded`` wrote."""
        fields = json.loads(body)
        read = {
            "objects": _stored(fields["objects"]),
            # A run of before may have prepared a manifest without.
            "made_of": _stored(fields.get("made_of", [])),
            "counts": Counts(**fields["counts"]),
            "by_object": {key: Counts(**counts) for key, counts in fields["by_object"].items()},
            "partition_files": tuple(TableChange(**entry) for entry in fields["partition_files"]),
        }
        return Manifest(**{**fields, **read})


def _stored(entries: Sequence[Mapping[str, Any]]) -> tuple[StoredObject, ...]:
    moments = (datetime.fromisoformat(entry["modified"]) for entry in entries)
    return tuple(StoredObject(**{**entry, "modified": at}) for entry, at in zip(entries, moments, strict=True))


def checksum(body: bytes) -> str:
    """Return the SHA-256 of ``body`` in hexadecimal."""
    return hashlib.sha256(body).hexdigest()


def report(manifest: Manifest, status: str, pipeline: str, reason: str | None = None) -> dict[str, Any]:
    """Return the run record for the ledger and for ``pipeline_runs``.

    ``status`` is PREPARED, COMMITTED, FAILED or ABANDONED; ``reason`` says why it is one of the last two. The duration
    is in whole seconds,
    ``bytes`` is the size of the objects that were read.
    """
    took = datetime.fromisoformat(manifest.ended_at) - datetime.fromisoformat(manifest.started_at)
    return {
        "run_id": manifest.run_id,
        "pipeline": pipeline,
        "dataset": manifest.dataset,
        "kind": manifest.kind,
        "source": manifest.source,
        "status": status,
        "reason": reason,
        "started_at": manifest.started_at,
        "ended_at": manifest.ended_at,
        "duration_seconds": round(took.total_seconds()),
        "fencing_token": manifest.fencing_token,
        "code_version": manifest.code_version,
        "objects": len(manifest.objects),
        "bytes": sum(stored.size for stored in manifest.objects),
        **asdict(manifest.counts),
        "partition_files": len(manifest.partition_files),
    }


def row(reported: Mapping[str, Any], manifest: Manifest) -> bytes:
    """Return one row of ``pipeline_runs`` as a line of JSON.

    It is the run record ``reported`` and the keys of the first ``NAMED_OBJECTS`` objects.
    """
    named = [stored.key for stored in manifest.objects[:NAMED_OBJECTS]]
    return json.dumps({**reported, "input_objects": named}).encode() + b"\n"


def _iso(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} does not belong in a manifest")
