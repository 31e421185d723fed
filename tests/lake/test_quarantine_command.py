"""``lake quarantine`` as somebody types it, with the job's work done in this process."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from lake.cli import application, job_requests
from lake.core.s3 import Location
from lake.environment.deployment import Platform
from lake.maintenance import quarantined_record
from lake.operations.job import JobFailed
from lake.records.reference import Reference
from tests.place import QUARANTINE, TARGET, Place, line

OBJECT = "raw/weather/date=2026-11-20/a.json"


def lake(*words: str) -> tuple[int, Any]:
    done = CliRunner().invoke(application.application, ["quarantine", *words, "--json"])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, json.loads(done.stdout) if done.stdout else done.stderr


def raw(place: Place) -> list[str]:
    return [entry.key for entry in place.lake.storage.list(place.lake.locations["raw_weather"])]


def test_a_record_is_decrypted_for_who_may_and_an_audit_says_so(commanded: Place, platform: Platform) -> None:
    commanded.put("a.json", line(1, 5.0), line(2, 999.0))
    commanded.run()
    code, (row,) = lake("show", "curated_weather", f"{OBJECT}:2")
    assert (code, row["reasons"], json.loads(row["payload"])["temperature_c"]) == (0, "range:temperature_c", 999.0)
    (audit,) = commanded.lake.storage.list(Location(commanded.bucket, "ops/audits/curated_weather/"))
    said = json.loads(commanded.lake.storage.read(commanded.bucket, audit.key))
    assert (said["record"], said["action"], said["dataset"]) == (f"{OBJECT}:2", "decrypted", "curated_weather")
    assert said["by"].startswith("arn:aws:")
    with pytest.raises(quarantined_record.NoSuchRecord, match=r"a\.json:1 is not in the quarantine of curated_weather"):
        quarantined_record.find(platform, "curated_weather", Reference(OBJECT, 1))


def test_a_fix_is_validated_then_stored_beside_the_rejected_record_and_curated_once(
    commanded: Place, platform: Platform
) -> None:
    commanded.put("a.json", line(1, 5.0), line(2, 999.0))
    commanded.run()
    words = ("fix", "curated_weather", f"{OBJECT}:2")
    code, (row,) = lake(*words, "--set", "temperature_c=998", "--yes")
    assert (code, row["state"], row["reasons"]) == (1, "rejected", "range:temperature_c")
    code, (row,) = lake(*words, "--set", "temperature_c=9.9")
    assert (code, row["state"]) == (0, "would be fixed")
    assert (raw(commanded), len(commanded.rows(QUARANTINE))) == ([OBJECT], 1), "a look changes nothing"
    quarantined_record.put(platform, row["raw object"], json.dumps({**json.loads(line(2, 9.9))}).encode())
    code, (again,) = lake(*words, "--set", "temperature_c=9.9", "--yes")
    assert (code, again) == (0, {**row, "state": "fixed"})
    assert (sorted(raw(commanded)), commanded.rows(QUARANTINE)) == (sorted([OBJECT, row["raw object"]]), [])
    commanded.run()
    assert commanded.temperatures() == {("Paris", "20T01"): 5.0, ("Paris", "20T02"): 9.9}
    (discard,) = (run for run in commanded.lake.ledger.runs(TARGET.name) if run["kind"] == "discard")
    assert discard["details"]["why"] == f"fixed by {row['raw object']}"


def test_replay_and_discard_show_what_they_would_do_and_then_the_run_that_did_it(commanded: Place) -> None:
    commanded.put("a.json", line(1, 999.0), "not json")
    commanded.run()
    (seen,) = lake("replay", "curated_weather", "--all")[1]
    assert (seen["run"], seen["received"], seen["quarantined"], seen["partition files"]) == ("preview", 2, 2, 0)
    (seen,) = lake("discard", "curated_weather", "--why", "a test", "--reason", "malformed:line", "--yes")[1]
    assert (seen["kind"], seen["records"], seen["partition files"]) == ("discard", 1, 1)
    assert seen["run"] in {run["run_id"] for run in commanded.runs()}
    assert lake("discard", "curated_weather", "--why", "a test", "--reason", "malformed:line", "--yes") == (0, [])
    code, said = lake("replay", "curated_weather")
    assert (code, "say which records" in said) == (2, True)


def test_a_dataset_that_a_dead_run_holds_is_said_to_be_held(commanded: Place, platform: Platform) -> None:
    commanded.put("a.json", line(1, 999.0))
    commanded.run()
    commanded.lake.ledger.lock(TARGET.name, "a run that died")
    with pytest.raises(JobFailed, match=r"held by run a run that died until 20.*nothing was done"):
        job_requests.done(platform, TARGET.name, "discard", {"everything": True, "why": "a test"})


def test_a_record_that_is_no_json_can_only_be_given_whole() -> None:
    with pytest.raises(quarantined_record.NotCorrected, match="--payload"):
        quarantined_record.corrected(b"not json", {"city": "Paris"})
    assert json.loads(quarantined_record.corrected(b'{"a": 1, "b": 2}', {"b": None})) == {"a": 1, "b": None}


def test_a_role_is_named_without_the_session_of_the_person_who_plays_it() -> None:
    class Tokens:
        def get_caller_identity(self) -> dict[str, str]:
            return {"Arn": "arn:aws:sts::123456789012:assumed-role/repair/jane@example.com"}

    session = SimpleNamespace(client={"sts": Tokens()}.__getitem__)
    assert job_requests.caller(Platform("dev", {}, session)) == "arn:aws:iam::123456789012:role/repair"
