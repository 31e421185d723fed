"""Which job does what a command asks for: a pipeline has one job, several or none."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from lake.cli import job_requests
from lake.cli.job_requests import JobDidNot
from lake.environment.deployment import Platform

DATASET = "curated_weather"
WRITES = {"hourly": [DATASET, f"quarantine_{DATASET}"], "daily": ["curated_weather_daily"]}


def platform(*jobs: str, **operations: str) -> Platform:
    """A platform whose pipeline has these jobs."""

    def get_job(JobName: str) -> Any:  # noqa: N803
        return {"Job": {"DefaultArguments": {"--writes": json.dumps(dict.fromkeys(WRITES[JobName], "s3://"))}}}

    names = {"weather_iot": {"jobs": {job: job for job in jobs}, "operations": operations}}
    return Platform("dev", names, SimpleNamespace(client=lambda _service: SimpleNamespace(get_job=get_job)))


@pytest.mark.parametrize("jobs", [["hourly"], ["hourly", "daily"], ["daily", "hourly"]])
def test_the_job_that_writes_a_dataset_repairs_it(jobs: list[str]) -> None:
    assert job_requests._job(platform(*jobs), DATASET, "replay") == "hourly"


@pytest.mark.parametrize("jobs", [[], ["hourly"], ["hourly", "daily"]])
def test_an_operation_with_a_job_of_its_own_is_done_by_that(jobs: list[str]) -> None:
    assert job_requests._job(platform(*jobs, erase="eraser"), DATASET, "erase") == "eraser"


def test_two_jobs_that_write_one_dataset_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WRITES, "daily", [DATASET])
    with pytest.raises(JobDidNot, match=r"more than one job \(hourly, daily\) of weather_iot writes curated_weather"):
        job_requests._job(platform("hourly", "daily"), DATASET, "replay")


@pytest.mark.parametrize("jobs", [[], ["daily", "daily_2"]])
def test_a_dataset_that_no_job_writes_is_said_to_be_such(jobs: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WRITES, "daily_2", [])
    with pytest.raises(JobDidNot, match="no job of weather_iot writes curated_weather"):
        job_requests._job(platform(*jobs), DATASET, "replay")
