"""What runs when: schedules start the real things, and a run that is killed is finished by the next one."""

# ruff: noqa: S608 - what stands in the statements are constants of the tests

import itertools
import os
import re
import signal
import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from drills.weather_iot.open_meteo import weather_record
from lake.runs.ledger import LEASE
from tests.pipelines.deployment import DEADLINE_SECONDS, Deployed

pytestmark = [pytest.mark.after_first_day, pytest.mark.usefixtures("transformed")]
# Enough partition files for a publication that takes a while.
DAYS = [date(2024, 1, 1) + timedelta(days=number) for number in range(60)]


def new_messages(deployed: Deployed, before: set[str]) -> Counter[str]:
    """Moment to number of messages in the raw objects that came since."""
    keys = set(deployed.objects("raw/iot-sensors/")) - before
    return Counter(record["timestamp"] for key in keys for record in deployed.records(key))


def test_every_five_minutes_messages_are_sent_and_a_minute_later_they_are_in_raw(deployed: Deployed) -> None:
    before, started = set(deployed.objects("raw/iot-sensors/")), deployed.now
    deployed.advance(600)
    deployed.advance(120)
    moments = new_messages(deployed, before)
    times = sorted(map(datetime.fromisoformat, moments))
    assert len(times) in (2, 3)
    assert started < times[0] < times[-1] <= deployed.now
    assert {later - earlier for earlier, later in itertools.pairwise(times)} == {timedelta(minutes=5)}
    assert set(moments.values()) == {15}


def test_every_hour_the_job_takes_what_has_arrived(deployed: Deployed) -> None:
    client = deployed.client("glue")
    before = {run["Id"] for run in client.get_job_runs(JobName=deployed.job)["JobRuns"]}
    first = deployed.now.astimezone(UTC)
    deployed.advance_to_minute(11)
    started = [run for run in client.get_job_runs(JobName=deployed.job)["JobRuns"] if run["Id"] not in before]
    assert [run["JobRunState"] for run in started] == ["SUCCEEDED"]
    assert started[0]["StartedOn"].minute == 10
    since = f"TIMESTAMP '{first:%Y-%m-%d %H:%M:%S}'"
    sent = f'SELECT count(*) FROM curated_sensor_readings WHERE "timestamp" > {since} GROUP BY "timestamp"'
    rows = deployed.query(sent)
    assert len(rows) >= 5
    assert set(rows) == {("15",)}


@dataclass(frozen=True)
class Crash:
    """A run that was killed while it published."""

    run: dict[str, Any]
    unfinished: str
    published: int
    rows: int


def unfinished(deployed: Deployed) -> str | None:
    """The run of curated_weather that is prepared and not committed."""
    key = {"pk": {"S": "dataset#curated_weather"}, "sk": {"S": "lock"}}
    client = deployed.client("dynamodb")
    item = client.get_item(TableName=deployed.names["ledger"], Key=key, ConsistentRead=True)["Item"]
    return str(item["unfinished"]["S"]) if "unfinished" in item else None


def kill_job(deployed: Deployed) -> None:
    """SIGKILL to the process group of the job's script: the one whose files lie in this localaws' folder."""
    listed = subprocess.run(["ps", "-ww", "-e", "-o", "pid=,args="], capture_output=True, text=True, check=True).stdout
    (leader,) = re.findall(rf"^ *(\d+) \S*python\S* {re.escape(str(deployed.home))}/glue-runs/", listed, re.MULTILINE)
    assert os.getpgid(int(leader)) == int(leader)
    os.killpg(int(leader), signal.SIGKILL)


def count(deployed: Deployed) -> int:
    return int(deployed.query("SELECT count(*) FROM curated_weather")[0][0] or 0)


@pytest.fixture(scope="module")
def crash(deployed: Deployed) -> Crash:
    """New days, a correction, a repetition and a broken record; killed as soon as the ledger says prepared."""
    rows = count(deployed)
    days = [weather_record("Nuuk", f"{day}T06:00", -7.5) for day in DAYS]
    corrected = weather_record("Reykjavík", "2025-06-01T12:00", 10.5)
    broken = weather_record("Nuuk", "2024-01-01T07:00", 999)
    deployed.put("raw/weather/date=2024-01-01/by_hand.json", *days, days[0], corrected, broken)
    run_id = deployed.start_job()
    deadline = time.monotonic() + DEADLINE_SECONDS
    while unfinished(deployed) is None:
        assert time.monotonic() < deadline
    kill_job(deployed)
    run = deployed.ended(run_id)
    published = [key for key in deployed.objects("curated/weather/") if "/date=2024-" in key]
    return Crash(run, unfinished(deployed) or "", len(published), rows)


def test_a_job_that_is_killed_while_it_publishes_is_a_failed_run(deployed: Deployed, crash: Crash) -> None:
    assert (crash.run["JobRunState"], crash.run["ErrorMessage"]) == ("FAILED", "Command was killed by signal 9")
    assert crash.unfinished
    assert crash.published < len(DAYS)
    assert [run["status"] for run in deployed.runs("curated_weather")] == ["COMMITTED"]


def test_nobody_publishes_while_the_lease_of_the_dead_run_lasts(deployed: Deployed, crash: Crash) -> None:
    before = deployed.etags("curated/weather/")
    run = deployed.run_job()
    assert run["JobRunState"] == "SUCCEEDED"
    assert f"curated_weather is held by run {crash.unfinished}" in deployed.job_log(run["Id"])
    assert deployed.etags("curated/weather/") == before


def test_after_the_lease_the_next_run_finishes_it_and_nothing_is_lost_or_doubled(
    deployed: Deployed, crash: Crash
) -> None:
    # Longer than the lease: the alarm of the dead run is over as well, and the next one is news again.
    deployed.advance(int(LEASE.total_seconds()) + 360)
    run = deployed.run_job()
    assert run["JobRunState"] == "SUCCEEDED", run.get("ErrorMessage")
    assert unfinished(deployed) is None
    assert deployed.runs("curated_weather")[1:] == [
        {"status": "COMMITTED", "received": 63, "new": 60, "replaced": 1, "duplicate": 1, "quarantined": 1}
    ]
    nuuk = "SELECT count(*), count(DISTINCT date), min(temperature_c) FROM curated_weather WHERE city = 'Nuuk'"
    assert deployed.query(nuuk) == [("60", "60", "-7.5")]
    corrected = "SELECT temperature_c, source_object FROM curated_weather WHERE city = 'Reykjavík'"
    assert deployed.query(corrected) == [("10.5", "raw/weather/date=2024-01-01/by_hand.json")]
    assert count(deployed) == crash.rows + 60
