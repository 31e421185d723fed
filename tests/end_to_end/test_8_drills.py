"""Every cause of the runbook, made and mended on the deployed lake; then days in which nothing may ring."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from drills import catalogue, quiet, report, runbook, sets
from drills.run import Result, Runner
from scripts import roots
from tests.end_to_end.deployment import Deployed
from tests.local_aws import REPOSITORY

RUNBOOK, DRILLS = runbook.load(), catalogue.drills()
BESIDE = {name: drill for name, drill in DRILLS.items() if drill.fresh_account}
IN_TURNS = sets.in_turns([drill for drill in DRILLS.values() if not drill.fresh_account])
# A simulated day costs some minutes, for the job runs every hour. The whole week is for the nightly workflow.
QUIET_DAYS = int(os.environ.get("QUIET_DAYS", "1"))

pytestmark = [
    pytest.mark.usefixtures("transformed"),
    pytest.mark.skipif(shutil.which("aws") is None, reason="the runbook is written for people who have the AWS CLI"),
]


@pytest.fixture(scope="module")
def runner(deployed: Deployed) -> Runner:
    """Runs drills against the deployed lake."""
    deployed.wait_until_alarms_are_over()
    return Runner(deployed, RUNBOOK, print)


@pytest.fixture(scope="module")
def beside() -> Iterator[dict[str, Future[Result]]]:
    """The drills that need an account of their own; they run beside the others, for they mostly wait."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        yield {name: pool.submit(sets.run_fresh, drill, print) for name, drill in BESIDE.items()}


@pytest.fixture(scope="module")
def results() -> Iterator[dict[str, Result]]:
    """What has run until now; the report is written at the end."""
    found: dict[str, Result] = {}
    yield found
    report.write([found[name] for name in DRILLS if name in found], REPOSITORY / report.FOLDER)


@pytest.mark.parametrize("number", [drill.id for drill in IN_TURNS])
def test_a_cause_is_noticed_and_mended_by_the_runbook(
    beside: dict[str, Future[Result]], runner: Runner, results: dict[str, Result], number: str
) -> None:
    results[number] = runner.run(DRILLS[number])
    assert results[number].passed, results[number].problem


@pytest.mark.parametrize("number", BESIDE)
def test_a_cause_in_a_fresh_account_is_noticed_and_mended(
    beside: dict[str, Future[Result]], results: dict[str, Result], number: str
) -> None:
    results[number] = beside[number].result()
    assert results[number].passed, results[number].problem


def test_every_alarm_that_rang_was_heard_to_end(runner: Runner, results: dict[str, Result]) -> None:
    runner.settle()
    assert {name: result.problem for name, result in results.items() if not result.passed} == {}


def test_every_alarm_has_rung(deployed: Deployed, results: dict[str, Result]) -> None:
    alarms = deployed.client("cloudwatch").describe_alarms()["MetricAlarms"]
    rung = {alarm for result in results.values() for alarm in result.alarms}
    assert {f"aws-datalake-platform-{name}-dev" for name in rung} == {alarm["AlarmName"] for alarm in alarms}


def test_a_description_leads_to_the_section_of_the_alarm(deployed: Deployed) -> None:
    alarms = deployed.client("cloudwatch").describe_alarms()["MetricAlarms"]
    short = {re.sub(r"^aws-datalake-platform-(.*)-dev$", r"\1", alarm["AlarmName"]): alarm for alarm in alarms}
    assert [name for name in short if name not in RUNBOOK.sections] == []
    assert all(alarm["AlarmDescription"].endswith(f"RUNBOOK.md#{name}") for name, alarm in short.items())


def test_every_name_in_a_command_is_something_that_terraform_made(deployed: Deployed) -> None:
    backend = roots.state("dev", roots.PLATFORM)
    state = deployed.read(backend["key"], backend["bucket"]).decode()
    known = {
        *(text.removeprefix("alias/") for text in _texts(json.loads(state))),
        backend["bucket"],
        backend["dynamodb_table"],
        "aws-datalake-platform-dev-datalake",
    }
    named = {
        name.replace("$ENV", "dev").rstrip("/")
        for block in RUNBOOK.blocks.values()
        for name in re.findall(r"aws[-_]datalake[-_]platform[-_\w$]*\w", block)
    }
    assert len(named) > 10
    assert sorted(name for name in named if name not in known) == []


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value


def test_the_weekly_look_works(runner: Runner) -> None:
    done = runner.lake.command("bash", "-euo", "pipefail", "-c", runner.shell + RUNBOOK.script("weekly.look"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^today\n\d+$", done.stdout, re.MULTILINE)


def test_nothing_rings_while_nothing_is_wrong(runner: Runner) -> None:
    lived = quiet.live(runner.lake, QUIET_DAYS, print)
    assert lived.is_quiet, lived
