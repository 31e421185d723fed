"""What a run will publish, as bytes and as a row of pipeline_runs."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from lake.core.counts import NOTHING, Counts, total
from lake.core.s3 import StoredObject
from lake.runs.manifest import NAMED_OBJECTS, Manifest, checksum, report, row
from lake.tables.base import TableChange

MOMENT = datetime(2026, 11, 20, 12, tzinfo=UTC)
OBJECTS = (StoredObject("raw/a.json", "e1", 10, MOMENT), StoredObject("raw/b.json", "e2", 5, MOMENT))
COUNTS = Counts(7, 3, 1, 2, 1, {"range:aqi": 1})
MANIFEST = Manifest(
    run_id="r1",
    dataset="curated",
    kind="replay",
    source="raw",
    started_at="2026-11-20T12:00:00+00:00",
    ended_at="2026-11-20T12:01:01.400000+00:00",
    fencing_token=4,
    code_version="v1",
    claimed=True,
    objects=OBJECTS,
    counts=COUNTS,
    by_object={"raw/a.json": COUNTS, "raw/b.json": NOTHING},
    partition_files=(TableChange("curated", "curated/x", "date=2026-11-20", None, "staging/x", 3),),
    details={"by": "somebody"},
)


def test_a_manifest_comes_back_from_its_bytes() -> None:
    assert Manifest.decoded(MANIFEST.encoded()) == MANIFEST


def test_equal_manifests_have_equal_bytes() -> None:
    other = replace(MANIFEST, by_object={"raw/b.json": NOTHING, "raw/a.json": COUNTS})
    assert other.encoded() == MANIFEST.encoded()


def test_what_is_no_json_and_no_time_does_not_belong_in_a_manifest() -> None:
    with pytest.raises(TypeError, match=r"^set does not belong in a manifest$"):
        replace(MANIFEST, details={"who": {1}}).encoded()


def test_the_checksum_is_sha_256() -> None:
    assert checksum(b"body") == hashlib.sha256(b"body").hexdigest()


def test_a_report_says_what_the_run_was_and_what_it_did() -> None:
    assert report(MANIFEST, "COMMITTED", "weather_iot") == {
        "run_id": "r1",
        "pipeline": "weather_iot",
        "dataset": "curated",
        "kind": "replay",
        "source": "raw",
        "status": "COMMITTED",
        "reason": None,
        "started_at": "2026-11-20T12:00:00+00:00",
        "ended_at": "2026-11-20T12:01:01.400000+00:00",
        "duration_seconds": 61,
        "fencing_token": 4,
        "code_version": "v1",
        "objects": 2,
        "bytes": 15,
        "received": 7,
        "new": 3,
        "replaced": 1,
        "duplicate": 2,
        "quarantined": 1,
        "reasons": {"range:aqi": 1},
        "drift": {},
        "partition_files": 1,
    }
    assert report(MANIFEST, "FAILED", "weather_iot", "why")["reason"] == "why"


def test_a_row_names_the_first_objects_and_is_one_line() -> None:
    many = replace(MANIFEST, objects=OBJECTS[:1] * (NAMED_OBJECTS + 1))
    line = row({"run_id": "r1"}, many)
    assert line.endswith(b"}\n")
    assert json.loads(line) == {"run_id": "r1", "input_objects": ["raw/a.json"] * 1000}


def test_counts_add_up_or_say_by_how_much_they_do_not() -> None:
    assert (COUNTS.is_reconciled, COUNTS.unreconciled) == (True, 0)
    for name in ("received", "new", "replaced", "duplicate", "quarantined"):
        for change in (2, -1):
            wrong = replace(COUNTS, **{name: getattr(COUNTS, name) + change})
            assert (wrong.is_reconciled, wrong.unreconciled) == (False, abs(change))


def test_a_total_is_the_sum_of_each_count() -> None:
    other = Counts(1, 0, 0, 0, 1, {"required:city": 1, "range:aqi": 1}, {"added:x": 2})
    summed = total([COUNTS, other])
    assert summed == Counts(8, 3, 1, 2, 2, {"range:aqi": 2, "required:city": 1})
    assert (list(summed.reasons), dict(summed.drift)) == (["range:aqi", "required:city"], {"added:x": 2})
    assert total([]) == NOTHING
