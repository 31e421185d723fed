"""One bad day: the API is down, the job lost a right and then its script. What people hear of it, and that it ends."""

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from drills import faults
from drills.weather_iot import open_meteo
from drills.weather_iot.open_meteo import weather_record
from tests.pipelines.deployment import FORGOTTEN_SECONDS, Deployed, Invocation

pytestmark = [pytest.mark.after_first_day, pytest.mark.usefixtures("transformed")]
CURATED = "curated/"
RECORD = weather_record("Nuuk", "2024-12-24T18:00", -12.5)
ADDRESS = "module.transform."


@dataclass(frozen=True)
class BadDay:
    """What happened, in order, and the e-mails of the bad part and of the good end."""

    ingestion: Invocation
    denied: dict[str, Any]
    published_before: dict[str, tuple[str, datetime]]
    published_after: dict[str, tuple[str, datetime]]
    without_script: dict[str, Any]
    bad_news: list[dict[str, Any]]
    restored: subprocess.CompletedProcess[str]
    recovered: dict[str, Any]
    good_news: list[dict[str, Any]]


def forbid_curated(deployed: Deployed) -> None:
    """Take the right to put curated objects from the job's role."""
    iam, named = deployed.client("iam"), {"RoleName": deployed.job, "PolicyName": "access"}
    policy = iam.get_role_policy(**named)["PolicyDocument"]
    (write,) = (statement for statement in policy["Statement"] if statement["Sid"] == "WriteObjects")
    kept = [arn for arn in write["Resource"] if f"/{CURATED}" not in arn]
    assert 0 < len(kept) < len(write["Resource"])
    write["Resource"] = kept
    iam.put_role_policy(**named, PolicyDocument=json.dumps(policy))


@pytest.fixture(scope="module")
def bad_day(deployed: Deployed) -> Iterator[BadDay]:
    deployed.wait_until_alarms_are_over()
    first = len(deployed.mail())
    deployed.break_simulator(open_meteo.SIMULATOR, {"status": 400, "body": "{}", "times": 0})
    ingestion = deployed.invoke("batch_ingest", {})
    deployed.put("raw/weather/date=2024-12-24/by_hand.json", RECORD)
    forbid_curated(deployed)
    before = deployed.etags(CURATED)
    denied = deployed.run_job()
    after = deployed.etags(CURATED)
    bucket, key = faults.deployed_script(deployed)
    deployed.client("s3").delete_object(Bucket=bucket, Key=key)
    without_script = deployed.run_job()
    deployed.advance(60)
    bad_news = deployed.mail()[first:]
    deployed.break_simulator(open_meteo.SIMULATOR)
    restored = deployed.terraform("apply")
    recovered = deployed.run_job()
    deployed.advance(FORGOTTEN_SECONDS)
    good_news = deployed.mail()[first + len(bad_news) :]
    yield BadDay(ingestion, denied, before, after, without_script, bad_news, restored, recovered, good_news)


def mails(news: list[dict[str, Any]], subject: str) -> list[dict[str, Any]]:
    """The bodies of the mails with that in their subject."""
    texts = [mail["body"].split("\n\n--\n")[0] for mail in news if subject in mail["subject"]]
    return [json.loads(text) for text in texts]


def subject(state: str, alarm: str) -> str:
    return f'{state}: "aws-datalake-platform-{alarm}-dev" in US East (N. Virginia)'


def test_an_ingestion_without_any_answer_fails(bad_day: BadDay) -> None:
    assert bad_day.ingestion.error == "Unhandled"
    summary = json.loads(bad_day.ingestion.payload["errorMessage"])
    assert (summary["cities_processed"], summary["cities_failed"], summary["total_records"]) == (0, 5, 0)


def test_a_job_that_may_not_publish_fails_with_the_cause_in_its_log(deployed: Deployed, bad_day: BadDay) -> None:
    assert bad_day.denied["JobRunState"] == "FAILED"
    assert "AccessDenied" in bad_day.denied["ErrorMessage"]
    log = deployed.job_log(bad_day.denied["Id"])
    assert "curated_weather FAILED" in log
    assert re.search(r"AccessDenied\).*(CopyObject|PutObject)", log)


def test_a_job_that_may_not_publish_publishes_nothing(bad_day: BadDay) -> None:
    assert bad_day.published_after == bad_day.published_before
    assert len(bad_day.published_before) >= 31


def test_a_job_without_its_script_fails_and_says_so(deployed: Deployed, bad_day: BadDay) -> None:
    missing = f"File Not Found: s3://{'/'.join(faults.deployed_script(deployed))}"
    assert bad_day.without_script["JobRunState"] == "FAILED"
    assert missing in bad_day.without_script["ErrorMessage"]
    assert missing in deployed.job_log(bad_day.without_script["Id"])


def test_each_failed_run_is_a_readable_mail_with_its_reason(bad_day: BadDay) -> None:
    assert {mail["to"] for mail in bad_day.bad_news} == {"data-platform@example.com"}
    events = mails(bad_day.bad_news, "Notification")
    assert [(event["run"], event["reason"]) for event in events] == [
        (run["Id"], run["ErrorMessage"]) for run in (bad_day.denied, bad_day.without_script)
    ]
    assert all(event["summary"].endswith("-transform-dev: a run ended with FAILED.") for event in events)


@pytest.mark.parametrize("alarm", ["glue-transform-failures", "batch-ingest-errors"])
def test_the_alarm_mails_once_when_it_fires_and_once_when_it_is_over(bad_day: BadDay, alarm: str) -> None:
    (fired,) = mails(bad_day.bad_news, subject("ALARM", alarm))
    assert (fired["OldStateValue"], fired["NewStateValue"]) == ("OK", "ALARM")
    assert fired["AlarmDescription"].endswith(f" docs/runbooks/weather_iot.md#{alarm}")
    (over,) = mails(bad_day.good_news, subject("OK", alarm))
    assert (over["OldStateValue"], over["NewStateValue"]) == ("ALARM", "OK")
    assert fired["StateChangeTime"] < over["StateChangeTime"]


def test_nothing_else_was_in_the_mailbox(bad_day: BadDay) -> None:
    said = [mail["subject"] for mail in (*bad_day.bad_news, *bad_day.good_news)]
    assert (len(bad_day.bad_news), len(bad_day.good_news)) == (4, 2), said


def test_terraform_restores_exactly_what_was_broken(deployed: Deployed, bad_day: BadDay) -> None:
    assert bad_day.restored.returncode == 0, bad_day.restored.stderr
    assert "Resources: 0 added, 1 changed, 0 destroyed." in bad_day.restored.stdout
    touched = re.findall(r"^(\S+): (Creat|Modify)ing\.\.\.", bad_day.restored.stdout, re.MULTILINE)
    assert sorted(touched) == [
        (f"{ADDRESS}module.role.aws_iam_role_policy.this", "Modify"),
    ]
    bucket, key = faults.deployed_script(deployed)
    assert f"s3://{bucket}/{key} was put there" in bad_day.restored.stdout
    script = deployed.read(key, bucket).decode()
    assert '"curated_weather": weather' in script


def test_the_next_run_publishes_what_the_broken_ones_could_not(deployed: Deployed, bad_day: BadDay) -> None:
    assert bad_day.recovered["JobRunState"] == "SUCCEEDED", bad_day.recovered.get("ErrorMessage")
    rows = deployed.query("SELECT city, temperature_c FROM curated_weather WHERE date = DATE '2024-12-24'")
    assert rows == [("Nuuk", "-12.5")]
    assert deployed.runs("curated_weather")[-1] == {
        "status": "COMMITTED", "received": 1, "new": 1, "replaced": 0, "duplicate": 0, "quarantined": 0,
    }  # fmt: skip
