"""Nothing of a subject is left in any version of any object, everything of the others is, and runs go on as before."""

import base64
import gzip
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from pyarrow import parquet

from lake.core.errors import DatasetHeld
from lake.core.s3 import Location, Storage
from lake.operations.erasure.data_subject import NoSubjects
from lake.operations.erasure.erase import PUT_ASIDE
from lake.pseudonyms import encryption, keys
from lake.records import failed_deliveries
from lake.runs.ledger import Ledger
from tests.lake.operating import FOLDER, Sensors, message
from tests.local_aws import REPOSITORY
from tests.place import READINGS, Place

VERSIONS = keys.key_versions(
    json.dumps(
        {
            "versions": [
                {"version": 1, "valid_from": "1970-01-01T00:00:00Z", "key": "the old one"},
                {"version": 2, "valid_from": "2026-11-15T00:00:00Z", "key": "the new one"},
            ]
        }
    )
)
SUBJECT, OTHER = "s-1", "s-12"
TOKENS = {keys.token(version, READINGS.name, "sensor_id", SUBJECT) for version in VERSIONS}
STREAM = "a-stream"
HOT = 999.0
# What says by token, on purpose, who has been erased.
SAYS_WHO = ("ops/manifests/", "ops/audits/")
DAYS = {"first": "2026-11-14", "last": "2026-11-16"}


@pytest.fixture
def sensors(sensors: Sensors) -> Sensors:
    """Two sensors over a rotation of keys, with corrections, rejected records and failed deliveries of both."""
    found = replace(sensors, lake=replace(sensors.lake, keys=VERSIONS))
    packed = gzip.compress(
        "\n".join([message(SUBJECT, 14, 1), message(OTHER, 14, 1), message(SUBJECT, 16, 2)]).encode()
    )
    put(found, f"{FOLDER}/a.json.gz", packed)
    rejected = [message(OTHER, 14, 3, HOT), message(SUBJECT, 14, 3, HOT), f'{{"sensor_id": "{SUBJECT}", "temp']
    found.put("b.json", *rejected, message(OTHER, 16, 4))
    found.perform()
    found.put("c.json", message(SUBJECT, 14, 1, 6.0), message(OTHER, 14, 1, 6.0))
    found.perform()
    lines = [error(message(SUBJECT, 14, 5)), error(message(OTHER, 14, 5)), error(message(OTHER, 14, 6))]
    put(found, "firehose-errors/e.json", b"\n".join(lines))
    return found


def put(sensors: Sensors, key: str, body: bytes) -> None:
    sensors.place.aws.client("s3").put_object(Bucket=sensors.place.bucket, Key=key, Body=body)


def error(sent: str) -> bytes:
    """A line of an error object of Firehose."""
    data = base64.b64encode(sent.encode()).decode()
    return json.dumps({"arrivalTimestamp": 1, "errorCode": "Lambda.FunctionError", "rawData": data}).encode()


def erase(sensors: Sensors, subject: str = SUBJECT, **arguments: Any) -> list[dict[str, Any]]:
    encrypted = encryption.encrypted(READINGS.name, VERSIONS, 2, subject.encode())
    errors = f"s3://{sensors.place.bucket}/firehose-errors/"
    given = {"encrypted_payload": encrypted, "key_version": 2, "stream": STREAM, "errors": errors}
    return sensors.perform("erase", **given, **arguments)


def texts(sensors: Sensors) -> dict[str, str]:
    """What every version of every object says, unpacked, decrypted and decoded."""
    bucket, storage = sensors.place.bucket, sensors.lake.storage
    return {
        f"{entry.key} {entry.version}": text(entry.key, storage.read(bucket, entry.key, entry.version))
        for entry in storage.versions(Location(bucket, ""))
    }


def text(key: str, body: bytes) -> str:
    if key.endswith(".parquet"):
        rows = parquet.read_table(io.BytesIO(body)).to_pylist()
        return str([{**row, "payload": decrypted(row)} for row in rows])
    clear = gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
    if key.startswith("firehose-errors/"):
        return "\n".join(failed_deliveries.message(line).decode() if line else "" for line in clear.split(b"\n"))
    return clear.decode()


def decrypted(row: dict[str, Any]) -> str:
    if "encrypted_payload" not in row:
        return ""
    return encryption.decrypted(READINGS.name, VERSIONS, row["key_version"], row["encrypted_payload"]).decode()


def holding(sensors: Sensors) -> list[str]:
    """Where the subject is."""
    names = (f'"{SUBJECT}"', *TOKENS)
    found = texts(sensors).items()
    return sorted(key for key, said in found if any(name in said for name in names) and not key.startswith(SAYS_WHO))


def of_others(sensors: Sensors) -> list[tuple[str, str, float]]:
    return [row for row in sensors.tokens() if row[0] not in TOKENS]


def quarantined(sensors: Sensors) -> list[tuple[str, int]]:
    rows = sensors.place.rows(READINGS.quarantine())
    return sorted((row["source_object"], row["source_line"]) for row in rows)


def sent_again(sensors: Sensors, etag: str, lines: list[str] | None = None) -> list[str]:
    """The lines of the error object with that ETag that were sent again; ``lines`` says so."""
    client, bucket = sensors.place.aws.client("dynamodb"), sensors.place.bucket
    key = {"pk": {"S": f"stream#{STREAM}"}, "sk": {"S": f"redelivered#firehose-errors/e.json#{etag}"}}
    if lines:
        client.put_item(TableName=bucket, Item={**key, "lines": {"NS": lines}})
    found: list[str] = client.get_item(TableName=bucket, Key=key)["Item"]["lines"]["NS"]
    return found


def errors_etag(sensors: Sensors) -> str:
    return str(sensors.lake.storage.etag(sensors.place.bucket, "firehose-errors/e.json"))


def test_what_firehose_has_not_written_is_searched_as_it_is_named_and_stops_no_erasure(sensors: Sensors) -> None:
    put(sensors, "firehose-errors/odd.json", f'no json\n{{"rawData": 7}}\n[]\n{{"said of": "{SUBJECT}"}}\n'.encode())
    (seen,) = erase(sensors, preview=True)
    assert seen["details"]["unreadable_objects"] == 1
    assert seen["details"]["failed_deliveries"] == 2


@pytest.mark.long
def test_nothing_of_the_subject_is_left_all_of_the_others_is_and_runs_go_on(sensors: Sensors) -> None:
    others, before = of_others(sensors), holding(sensors)
    assert (len(others), len(sensors.tokens()), len(quarantined(sensors))) == (2, 4, 3)
    assert {key.partition("/")[0] for key in before} == {"raw", "curated", "quarantine", "staging", "firehose-errors"}
    assert sent_again(sensors, errors_etag(sensors), ["2"]) == ["2"]
    (seen,) = erase(sensors, preview=True)
    counted = {"rows": 2, "quarantined_records": 2, "raw_lines": 5, "failed_deliveries": 1, "old_versions": 1}
    assert {name: seen["details"][name] for name in counted} == counted
    assert holding(sensors) == before, "a look changes nothing"
    erase(sensors)
    assert holding(sensors) == []
    assert (of_others(sensors), sensors.tokens()) == (others, others)
    assert quarantined(sensors) == [(f"{FOLDER}/b.json", 1)]
    assert sent_again(sensors, errors_etag(sensors)) == ["2"], "what was sent again is not sent once more"
    assert_written_down(sensors)
    assert_runs_go_on(sensors, len(others))


def test_what_was_put_aside_is_searched_too_and_the_lines_of_others_stay(sensors: Sensors) -> None:
    lines = [message(SUBJECT, 14, 5), message(OTHER, 14, 5)]
    put(sensors, f"set-aside/{FOLDER}/broken.json", lines[0].encode())
    put(sensors, f"set-aside/{FOLDER}/broken.json", "\n".join(lines).encode())
    put(sensors, "glue-temp/part.json", lines[0].encode())
    assert len([key for key in holding(sensors) if key.startswith(("set-aside/", "glue-temp/"))]) == 3
    (seen,) = erase(sensors, preview=True)
    assert seen["details"]["put_aside_lines"] == 2
    erase(sensors)
    assert holding(sensors) == []
    (kept,) = [text for key, text in texts(sensors).items() if key.startswith("set-aside/")]
    assert kept == f"\n{lines[1]}"


def test_every_prefix_that_the_platform_declares_is_searched() -> None:
    """Those of datasets, of staging and of failed deliveries are told to the job."""
    declared = (REPOSITORY / "terraform" / "platform" / "buckets.tf").read_text(encoding="utf-8")
    scratch = re.search(r"_scratch_retention = \{(.*?)\n  \}", declared, re.DOTALL)
    assert scratch
    prefixes = set(re.findall(r'"([^"]+/)" += \{ expire_days', scratch[1]))
    assert prefixes == {"staging/", "firehose-errors/", *PUT_ASIDE}


def assert_written_down(sensors: Sensors) -> None:
    """Ledger and audit say who has erased whom, by token only."""
    items = sensors.place.aws.client("dynamodb").scan(TableName=sensors.place.bucket)["Items"]
    assert f'"{SUBJECT}"' not in json.dumps(items)
    (stored,) = sensors.lake.storage.list(Location(sensors.place.bucket, f"ops/audits/{READINGS.name}/"))
    audit = json.loads(sensors.lake.storage.read(sensors.place.bucket, stored.key))
    assert (audit["action"], audit["by"]) == ("erased", "arn:aws:iam::1:role/r")
    assert (set(audit["tokens"]), audit["raw_lines"]) == (TOKENS, 5)
    (run,) = (run for run in sensors.lake.ledger.runs(READINGS.name) if run["kind"] == "erase")
    assert (run["status"], run["details"]["rows"]) == ("COMMITTED", 2)


def assert_runs_go_on(sensors: Sensors, rows: int) -> None:
    assert sensors.perform()[0]["received"] == 0, "raw objects with other content are not unprocessed"
    (built,) = sensors.perform("backfill", **DAYS, preview=True)
    assert (built["details"]["equal"], built["partition_files"]) == (rows, 0)
    (seen,) = sensors.perform("replay", everything=True, preview=True)
    assert (seen["received"], seen["quarantined"], seen["details"]["not_in_raw"]) == (1, 1, 0)
    sensors.put("d.json", message(OTHER, 14, 1, 7.0))
    assert sensors.perform()[0]["replaced"] == 1
    assert erase(sensors, preview=True)[0]["details"] == {}, "there is nothing left to erase"
    sensors.put("c.json", message(SUBJECT, 14, 1, 6.0), message(OTHER, 14, 1, 6.0))
    (again,) = sensors.perform()
    assert (again["new"], again["replaced"]) == (1, 1), "what is sent again after an erasure is unprocessed"


@pytest.mark.long
def test_what_no_run_has_read_stays_until_one_has_and_both_versions_of_an_object_are_built_again(
    sensors: Sensors,
) -> None:
    sensors.put("c.json", message(OTHER, 16, 8))
    sensors.perform()
    sensors.put("late.json", message(SUBJECT, 16, 7), message(OTHER, 16, 7))
    erase(sensors)
    assert [key.partition(" ")[0] for key in holding(sensors)] == [f"{FOLDER}/late.json"]
    assert sensors.lake.storage.read(sensors.place.bucket, f"{FOLDER}/c.json").decode() == message(OTHER, 16, 8)
    assert sensors.perform()[0]["new"] == 2
    erase(sensors)
    assert holding(sensors) == []
    (built,) = sensors.perform("backfill", **DAYS, preview=True)
    assert (built["details"]["equal"], built["partition_files"], len(of_others(sensors))) == (4, 0, 4)
    details = [
        run["details"]["unread_objects"] for run in sensors.lake.ledger.runs(READINGS.name) if run["kind"] == "erase"
    ]
    assert details == [1, 0]


class Died(BaseException):
    """The process is gone."""


def dying(function: Callable[..., Any]) -> Callable[..., Any]:
    """The process is gone after the first call: for the next step that is before."""

    def die(*arguments: Any) -> Any:
        function(*arguments)
        raise Died

    return die


@pytest.mark.long
def test_who_repeats_it_after_a_death_at_any_step_erases_what_is_left(
    sensors: Sensors, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = of_others(sensors)
    steps = [(Ledger, "begin_rewriting"), (Storage, "rewrite"), (Ledger, "rewritten"), (Ledger, "carry_on")]
    for kind, step in [*steps, (Storage, "remove")]:
        with monkeypatch.context() as patch, pytest.raises(Died):
            patch.setattr(kind, step, dying(getattr(kind, step)))
            erase(sensors)
        assert sensors.perform()[0]["received"] == 0, f"what is half done is not unprocessed: {step}"
    erase(sensors)
    assert (holding(sensors), of_others(sensors)) == ([], others)
    (built,) = sensors.perform("backfill", **DAYS, preview=True)
    assert (built["received"], built["details"]["equal"], built["partition_files"]) == (3, 2, 0)


def test_a_dataset_that_is_held_or_has_no_subjects_is_an_error(sensors: Sensors, place: Place) -> None:
    sensors.lake.ledger.lock(READINGS.name, "another")
    with pytest.raises(DatasetHeld, match="is held by run another until"):
        erase(sensors)
    with pytest.raises(NoSubjects, match="curated_weather has no encrypted column"):
        encrypted = encryption.encrypted("curated_weather", place.lake.keys, 1, b"s-1")
        place.perform(
            "erase", encrypted_payload=encrypted, key_version=1, stream=STREAM, errors=f"s3://{place.bucket}/e/"
        )
