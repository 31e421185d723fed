"""Files that were made to break parsers, or that are broken in the real world, through the raw reader."""

import json
import tarfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from glue_jobs.weather_iot import transform
from lake.records import json_lines
from tests.faults import closing, payloads
from tests.faults.test_upstream import Ingest, check_convergence, check_invocation, ingest
from tests.faults.weather_api import Api, serving
from tests.lambdas.conftest import function
from tests.place import MESSAGES, READINGS, Place, refresh

__all__ = ["function", "ingest"]
FILES = Path(__file__).parent / "reader"
ERRORS = [json.loads(line) for line in (FILES / "api_errors.jsonl").read_text(encoding="utf-8").splitlines()]


def unpacked(archive: str) -> dict[str, bytes]:
    """Name => bytes of every file of an archive."""
    with tarfile.open(FILES / archive) as tar:
        files = [(Path(member.name).name, tar.extractfile(member)) for member in tar if member.isfile()]
        return {name: file.read() for name, file in files if file is not None}


SUITE, TABLES = unpacked("json_test_suite.tar.xz"), unpacked("messy_csv.tar.xz")
# Where we are stricter than JSON, or where a line end outside of text is no part of a record.
STRICTER = {
    "y_object_duplicated_key.json": "duplicate_key:line",
    "y_object_duplicated_key_and_value.json": "duplicate_key:line",
}
NEVER_A_VALUE = {"n_string_unescaped_newline.json": "a line end ends the record, so the line is cut in two"}


def as_value(body: bytes) -> list[json_lines.RawRecord]:
    """What the reader says of a record that has these bytes as one of its values."""
    line = b'{"other": ' + body.replace(b"\r", b" ").replace(b"\n", b" ") + b"}"
    return list(json_lines.read(line, "raw/x.json", ()))


def test_the_files_are_all_there() -> None:
    assert Counter(name[0] for name in SUITE) == {"y": 95, "n": 188, "i": 35}
    assert len(TABLES) == 20
    assert len(ERRORS) == 11


def test_what_json_allows_is_read_and_what_it_forbids_is_refused() -> None:
    found = {name: [reason for record in as_value(body) for reason in record.reasons] for name, body in SUITE.items()}
    assert {name: reasons[0] for name, reasons in found.items() if name[0] == "y" and reasons} == STRICTER
    assert {name for name, reasons in found.items() if name[0] == "n" and not reasons} == set(NEVER_A_VALUE)
    kept = {"malformed", "not_finite", "depth", "encoding", "duplicate_key", "not_an_object"}
    assert {reason.partition(":")[0] for reasons in found.values() for reason in reasons} <= kept


def test_every_file_is_read_without_an_error_and_every_record_is_good_or_explained() -> None:
    for name, body in {**SUITE, **TABLES}.items():
        for suffix in (name, f"{name}.gz"):
            records = list(json_lines.read(body, suffix, MESSAGES.stored))
            assert [record for record in records if bool(record.reasons) == (record.values is not None)] == []
            assert len({record.line for record in records}) == len(records)


def test_all_files_through_one_run_are_counted_and_lose_nobody_elses_records(place: Place) -> None:
    objects = {f"{payloads.FOLDER}{name}": body for name, body in {**SUITE, **TABLES}.items()}
    sound = f"{payloads.FOLDER}sound.json"
    objects[sound] = b"\n".join(json.dumps(payloads.message("reader", line)).encode() for line in range(1, 101))
    for key, body in objects.items():
        place.aws.client("s3").put_object(Bucket=place.bucket, Key=key, Body=body)
    counts = refresh(place.lake, replace(READINGS, tolerance=1.0), MESSAGES, transform.sensor_readings)
    curated, bad = closing.by_object(place, READINGS), closing.by_object(place, READINGS.quarantine())
    assert counts.is_reconciled
    assert (counts.new, set(curated)) == (100, {sound})
    records = {key: sum(1 for _ in json_lines.read(body, key, ())) for key, body in objects.items() if key != sound}
    assert {key: len(bad.get(key, [])) for key in records} == records
    assert all(row["reasons"] for rows in bad.values() for row in rows)
    assert counts.quarantined == sum(records.values()) > 5000
    assert {key for key, _ in place.lake.ledger.objects(READINGS.name).processed} == set(objects)
    assert place.run_readings().received == 0


@pytest.mark.component
@pytest.mark.parametrize("number", range(len(ERRORS)))
def test_a_recorded_error_of_the_api_is_refused_with_its_own_words(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    error = ERRORS[number]
    api = Api([{"status": error["status"] or 400, "body": error["body"]}])
    with serving(api) as port:
        monkeypatch.setenv("OPEN_METEO_URL", f"http://127.0.0.1:{port}")
        check_invocation(ingest, {"stored": False, "reason": error["body"][:100]}, caplog)
    assert api.requests == 1
    check_convergence(ingest, monkeypatch)
