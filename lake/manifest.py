"""The manifest of a run: which units it replaces and what it has read. Written once, before anything is visible."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from lake.storage import StoredObject


@dataclass(frozen=True)
class UnitChange:
    """One unit to replace: its object ``key``, the ETag ``before`` (None: no object yet) and the ``staged`` object."""

    dataset: str
    key: str
    partition: str
    before: str | None
    staged: str
    rows: int


@dataclass(frozen=True)
class Counts:
    """received = new + replaced + duplicate + quarantined; ``reasons`` counts broken rules, several to a record.

    ``drift`` counts the records whose fields are not those of the contract, by what is different.
    """

    received: int
    new: int
    replaced: int
    duplicate: int
    quarantined: int
    reasons: Mapping[str, int]
    drift: Mapping[str, int] = field(default_factory=dict)

    @property
    def add_up(self) -> bool:
        """Whether every received record is accounted for."""
        return self.unaccounted == 0

    @property
    def unaccounted(self) -> int:
        """How many records are missing or too many."""
        return abs(self.received - self.new - self.replaced - self.duplicate - self.quarantined)


NOTHING = Counts(0, 0, 0, 0, 0, {})


@dataclass(frozen=True)
class Manifest:
    """What a prepared run will publish. ``started_at`` and ``ended_at`` are ISO 8601, UTC."""

    run_id: str
    dataset: str
    started_at: str
    ended_at: str
    epoch: int
    code_version: str
    objects: tuple[StoredObject, ...]
    counts: Counts
    units: tuple[UnitChange, ...]

    def encoded(self) -> bytes:
        """JSON with sorted keys: equal manifests have equal bytes."""
        return json.dumps(asdict(self), sort_keys=True, default=_iso).encode()

    @staticmethod
    def decoded(body: bytes) -> "Manifest":
        """The manifest in these bytes."""
        fields = json.loads(body)
        objects = [
            StoredObject(**{**entry, "modified": datetime.fromisoformat(entry["modified"])})
            for entry in fields["objects"]
        ]
        units = tuple(UnitChange(**entry) for entry in fields["units"])
        return Manifest(**{**fields, "objects": tuple(objects), "counts": Counts(**fields["counts"]), "units": units})


def checksum(body: bytes) -> str:
    """SHA-256, hexadecimal."""
    return hashlib.sha256(body).hexdigest()


def report(manifest: Manifest, status: str, pipeline: str, reason: str | None = None) -> dict[str, Any]:
    """One row of ``pipeline_runs``."""
    return {
        "run_id": manifest.run_id,
        "pipeline": pipeline,
        "dataset": manifest.dataset,
        "status": status,
        "reason": reason,
        "started_at": manifest.started_at,
        "ended_at": manifest.ended_at,
        "epoch": manifest.epoch,
        "code_version": manifest.code_version,
        "objects": len(manifest.objects),
        "bytes": sum(stored.size for stored in manifest.objects),
        **asdict(manifest.counts),
        "units": len(manifest.units),
    }


def line(row: Mapping[str, Any]) -> bytes:
    """The row as one line of newline-delimited JSON."""
    return json.dumps(row).encode() + b"\n"


def _iso(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} does not belong in a manifest")
