"""A refresh without Spark, whose files are JSON. What the lake must hold in the end follows from the raw objects."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from lake.core.counts import Counts, total
from lake.core.s3 import StoredObject
from lake.operations.refresh import Refresh
from lake.pseudonyms import keys
from lake.runs.context import RunContext
from lake.runs.manifest import Manifest
from lake.runs.run import Outcome
from lake.tables.base import TableChange
from tests.place import QUARANTINE, RUNS, SOURCE, TARGET

RAW = "raw/weather/date=2026-11-20/"


class Version(NamedTuple):
    """One record; the later one of a key wins."""

    key: str
    order: tuple[str, str, int]
    value: int
    file: str


def record(name: str, value: int, day: int = 20) -> str:
    """One raw record. Its day is a part of its key."""
    return json.dumps({"name": name, "value": value, "day": day})


@dataclass(frozen=True)
class PlainRefresh(Refresh):
    """Lines of ``record`` become rows, all other lines are quarantined."""

    def stage(self, context: RunContext, manifest: Manifest) -> Outcome:
        read = {stored: list(lines_of(context, stored)) for stored in manifest.objects}
        good = [version for lines in read.values() for version, _ in lines if version]
        bad = [line for lines in read.values() for version, line in lines if not version]
        new, replaced, changes = _merged(context, manifest, good)
        by_object = {stored.key: _counts(stored.key, lines, new, replaced) for stored, lines in read.items()}
        changes += [_quarantined(context, manifest, bad)] if bad else []
        return Outcome(total(by_object.values()), tuple(changes), by_object)


@dataclass(frozen=True)
class PlainReread(PlainRefresh):
    """Reads all raw objects again, as a backfill does; claims nothing."""

    kind = "backfill"
    claims = False

    def inputs(self, context: RunContext) -> tuple[StoredObject, ...]:
        return tuple(context.storage.list(context.locations[self.source.name]))


REFRESH = PlainRefresh(TARGET, SOURCE, lambda frame: frame)
REREAD = PlainReread(TARGET, SOURCE, lambda frame: frame)


def lines_of(context: RunContext, stored: StoredObject) -> Iterator[tuple[Version | None, str]]:
    body = context.storage.read(context.staging.bucket, stored.key).decode()
    for number, line in enumerate(body.splitlines(), start=1):
        yield _version(context, stored, number, line), f"{stored.key}:{number}"


def _version(context: RunContext, stored: StoredObject, number: int, line: str) -> Version | None:
    if not line.startswith("{"):
        return None
    said = json.loads(line)
    moment = f"2026-11-{said['day']:02}T00:00:00+00:00"
    (key,) = (key for key in context.keys if key.valid_from.isoformat() <= moment < key.valid_until.isoformat())
    token = keys.token(key, TARGET.name, "name", said["name"])
    order = (stored.modified.isoformat(), stored.key, number)
    return Version(f"{token}/{said['day']}", order, said["value"], f"2026-11-{said['day']:02}")


def _counts(key: str, lines: list[Any], new: Counter[str], replaced: Counter[str]) -> Counts:
    quarantined = sum(version is None for version, _ in lines)
    duplicate = len(lines) - quarantined - new[key] - replaced[key]
    reasons = {"malformed:line": quarantined} if quarantined else {}
    return Counts(len(lines), new[key], replaced[key], duplicate, quarantined, reasons)


def _merged(
    context: RunContext, manifest: Manifest, versions: list[Version]
) -> tuple[Counter[str], Counter[str], list[TableChange]]:
    new, replaced, changes = Counter[str](), Counter[str](), []
    for file in sorted({version.file for version in versions}):
        key = f"{context.locations[TARGET.name].prefix}date={file}/day.parquet"
        before = context.storage.etag(context.staging.bucket, key)
        rows = json.loads(context.storage.read(context.staging.bucket, key)) if before else {}
        was, is_changed = dict(rows), False
        for version in sorted((v for v in versions if v.file == file), key=lambda v: v.order):
            if version.key not in rows or tuple(rows[version.key]["order"]) < version.order:
                rows[version.key] = {"order": version.order, "value": version.value}
                is_changed = True
        for name, row in rows.items():
            if name not in was:
                new[row["order"][1]] += 1
            elif row["value"] != was[name]["value"]:
                replaced[row["order"][1]] += 1
        if is_changed:
            changes.append(_change(context, manifest, TARGET.name, key, before, rows))
    return new, replaced, changes


def _quarantined(context: RunContext, manifest: Manifest, lines: list[str]) -> TableChange:
    key = f"{context.locations[QUARANTINE.name].prefix}date=2026-11-20/h00.parquet"
    before = context.storage.etag(context.staging.bucket, key)
    rows = json.loads(context.storage.read(context.staging.bucket, key)) if before else {}
    return _change(context, manifest, QUARANTINE.name, key, before, {**rows, **{line: {} for line in lines}})


def _change(
    context: RunContext, manifest: Manifest, dataset: str, key: str, before: str | None, rows: dict[str, Any]
) -> TableChange:
    staged = f"{context.staging.prefix}{dataset}/{manifest.run_id}/{key.replace('/', '_')}"
    context.storage.put(context.staging.bucket, staged, json.dumps(rows).encode())
    return TableChange(dataset, key, key.split("/")[-2], before, staged, len(rows))


def shown(context: RunContext, dataset: str = TARGET.name) -> dict[str, Any]:
    """What a reader sees now; fails when a key is there twice."""
    rows: dict[str, Any] = {}
    for entry in context.storage.list(context.locations[dataset]):
        file = json.loads(context.storage.read(context.staging.bucket, entry.key))
        assert not rows.keys() & file.keys(), "a key is there twice"
        rows |= file
    return rows


def check_step(before: dict[str, Any], now: dict[str, Any]) -> None:
    """No reader loses a row, or sees an older one again."""
    for key, row in before.items():
        assert key in now, f"{key} is lost"
        assert tuple(row["order"]) <= tuple(now[key]["order"]), f"{key} went back"


def check_end(context: RunContext) -> None:
    """Everything is processed once: rows, quarantine, counts of runs and of objects follow from the raw objects."""
    stored = list(context.storage.list(context.locations[SOURCE.name]))
    lines = [line for entry in stored for line in lines_of(context, entry)]
    latest: dict[str, Version] = {}
    for version in sorted((version for version, _ in lines if version), key=lambda version: version.order):
        latest[version.key] = version
    assert {key: row["value"] for key, row in shown(context).items()} == {k: v.value for k, v in latest.items()}
    assert shown(context, QUARANTINE.name).keys() == {line for version, line in lines if not version}
    check_ledger(context, stored, len(lines), len(latest))


def check_ledger(context: RunContext, stored: list[StoredObject], received: int, new: int) -> None:
    """Counts of the committed runs and of the processed objects add up to those of the raw objects; nobody works."""
    ledger = context.ledger
    runs = ledger.runs(TARGET.name)
    assert {run["status"] for run in runs} <= {"COMMITTED", "FAILED"}
    refreshes = [run for run in runs if run["status"] == "COMMITTED" and run["kind"] == "refresh"]
    assert sum(run["received"] for run in refreshes) == received
    assert sum(run["new"] for run in runs if run["status"] == "COMMITTED") == new
    processed = [item for item in ledger._query(TARGET.name, "object#") if item["status"] == "PROCESSED"]
    assert {(item["key"], item["etag"]) for item in processed} == {(entry.key, entry.etag) for entry in stored}
    for counted in [*refreshes, *processed]:
        parts = (counted[name] for name in ("new", "replaced", "duplicate", "quarantined"))
        assert counted["received"] == sum(parts)
    rows = [json.loads(context.storage.read(context.staging.bucket, entry.key)) for entry in _run_rows(context)]
    said = {row["run_id"]: (row["status"], row["received"]) for row in rows}
    assert said == {run["run_id"]: (run["status"], run["received"]) for run in runs}
    lock = ledger._get(TARGET.name, "lock")
    assert not lock.keys() & {"lease_until", "unfinished"}, "nobody holds the dataset"


def _run_rows(context: RunContext) -> list[StoredObject]:
    return list(context.storage.list(context.locations[RUNS.name]))
