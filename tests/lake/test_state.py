"""Is the lake well, and what is said when it is not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lake.cli import rows
from lake.contract import model
from lake.environment import health
from lake.environment.alarms import Alarm
from lake.environment.deployment import NotDeployed
from lake.environment.health import State
from lake.environment.inventory import Dataset, Run
from lake.environment.partial_results import PartialResult, read

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
RUN = Run("r1", "curated_weather", "COMMITTED", NOW, NOW, 746, 740, 1, 3, 2, {"range:temperature_c": 2}, None)
WELL = Dataset(model.load("curated_weather"), 28, 1000, NOW, NOW - timedelta(hours=1), RUN)
PAGE = "docs/runbooks/weather_iot.md"
QUIET = Alarm(
    "aws-datalake-platform-lock-age-dev",
    "RUNBOOK.md#lock-age",
    "OK",
    NOW,
    "quiet",
    "A lock is old. What to do: …",
    7200,
)


def seen(*datasets: Dataset, alarms: tuple[Alarm, ...] = (QUIET,)) -> State:
    return State("dev", NOW, PartialResult("bucket", list(datasets)), PartialResult("CloudWatch", list(alarms)))


def test_nothing_is_said_of_a_lake_that_is_well() -> None:
    assert health.problems(seen(WELL)) == []


def test_an_alarm_that_rings_is_a_problem_with_its_section() -> None:
    (problem,) = health.problems(seen(WELL, alarms=(QUIET, replace(QUIET, state="ALARM"))))
    assert problem.text == "lock-age is in ALARM since 11-21 12:00. A lock is old."
    assert problem.link == "RUNBOOK.md#lock-age"


@pytest.mark.parametrize(
    ("age", "said"),
    [
        (timedelta(hours=2), ("fresh", 0)),
        (timedelta(hours=2, seconds=1), ("stale", 1)),
        (None, ("empty", 0)),
    ],
)
def test_data_older_than_promised_is_a_problem_and_a_lake_without_data_is_not(
    age: timedelta | None, said: tuple[str, int]
) -> None:
    dataset = replace(WELL, current_to=None if age is None else NOW - age)
    assert (dataset.state(NOW), len(health.problems(seen(dataset)))) == said


def test_a_clock_that_is_a_moment_behind_makes_no_negative_age() -> None:
    assert replace(WELL, current_to=NOW + timedelta(seconds=2)).age(NOW) == timedelta()


def test_a_last_run_that_failed_is_a_problem_with_its_reason() -> None:
    failed = replace(RUN, status="FAILED", reason="validation FAILED: 3 of 4")
    (problem,) = health.problems(seen(replace(WELL, last_run=failed)))
    assert problem.text == "The last run of curated_weather failed: validation FAILED: 3 of 4"


def test_records_that_became_nothing_are_a_problem() -> None:
    lost, alarm = replace(WELL, last_run=replace(RUN, new=739)), replace(QUIET, link=f"{PAGE}#reconciliation")
    (problem,) = health.problems(seen(lost, alarms=(alarm,)))
    said = "Records unreconciled in the last run of curated_weather: 1."
    assert (problem.text, problem.link) == (said, alarm.link)


@pytest.mark.parametrize(
    ("links", "chosen"),
    [
        (("docs/runbooks/other.md#other-reconciliation", f"{PAGE}#weather-reconciliation"), 1),
        (("docs/runbooks/other.md#reconciliation", "RUNBOOK.md#reconciliation"), None),
        ((f"{PAGE}#one-reconciliation", f"{PAGE}#two-reconciliation"), None),
        ((f"{PAGE}#prereconciliation",), None),
    ],
)
def test_a_problem_of_a_dataset_leads_to_the_one_section_of_its_pipeline(
    links: tuple[str, ...], chosen: int | None
) -> None:
    lost, alarms = replace(WELL, last_run=replace(RUN, new=739)), (replace(QUIET, link=link) for link in links)
    (problem,) = health.problems(seen(lost, alarms=tuple(alarms)))
    assert problem.link == ("" if chosen is None else links[chosen])


def test_a_dataset_that_its_alarm_has_reported_is_not_reported_again() -> None:
    stale = replace(WELL, current_to=NOW - timedelta(hours=3))
    ringing = replace(QUIET, state="ALARM", link=f"{PAGE}#curated-weather-freshness")
    assert len(health.problems(seen(stale, alarms=(ringing,)))) == 1
    assert len(health.problems(seen(stale, alarms=(replace(ringing, state="OK"),)))) == 1
    assert len(health.problems(seen(stale, alarms=(replace(ringing, link="RUNBOOK.md#lock-age"),)))) == 2


def test_a_part_that_cannot_be_read_is_a_problem_and_the_other_is_still_seen() -> None:
    def denied() -> list[Alarm]:
        raise NotDeployed("no")

    broken = replace(seen(WELL), alarms=read("CloudWatch", denied))
    assert [problem.text for problem in health.problems(broken)] == ["The alarms could not be read: NotDeployed: no"]
    summary = rows.state_summary(broken, health.problems(broken))
    assert (summary["alarms"], summary["datasets"][0]["age"]) == (None, "1 h")


def test_without_a_terminal_the_first_columns_stay_what_scripts_know(capsys: pytest.CaptureFixture[str]) -> None:
    ringing = replace(QUIET, state="ALARM")
    shown = seen(WELL, alarms=(ringing, QUIET))
    rows.show_state(shown, health.problems(shown), every_alarm=True, narrow=False)
    lines = capsys.readouterr().out.splitlines()
    assert "curated_weather\t28\t1,000\t2026-11-21 12:00:00\tCOMMITTED\t1 h\t2 h\tfresh\t746\t740\t1\t3\t2" in lines
    assert "aws-datalake-platform-lock-age-dev\tALARM\t2026-11-21 12:00:00\tRUNBOOK.md#lock-age\tquiet" in lines
    assert "aws-datalake-platform-lock-age-dev\tOK\t2026-11-21 12:00:00\t\tquiet" in lines


def test_on_a_terminal_only_alarms_that_are_not_well_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    shown = seen(WELL, alarms=(QUIET,))
    rows.show_state(shown, [], every_alarm=False, narrow=True)
    assert "Alarms (1 more are OK): nothing" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("duration", "said"),
    [
        (timedelta(seconds=5), "5 s"),
        (timedelta(minutes=15), "15 min"),
        (timedelta(minutes=65), "1 h 05 min"),
        (timedelta(hours=26), "1 d 2 h"),
        (timedelta(days=7), "7 d"),
    ],
)
def test_a_duration_is_said_as_people_say_it(duration: timedelta, said: str) -> None:
    assert health.text(duration) == said
