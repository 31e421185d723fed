"""Every cause of the runbook, made and mended on the deployed lake; then days in which nothing may ring."""

import json
import os
import re
import shutil
import string
from collections.abc import Iterator
from typing import Any

import pytest

from drills import catalogue, quiet, report, runbook, sets
from drills.drill import Drill
from drills.run import Result, Runner
from lake.environment import deployment, names
from lake.environment.deployment import Platform
from scripts import roots
from tests.local_aws import REPOSITORY
from tests.pipelines.deployment import Deployed

RUNBOOK = runbook.load()
DRILLS = {name: drill for name, drill in catalogue.drills().items() if drill.pipeline == "weather_iot"}
BESIDE = {name: drill for name, drill in DRILLS.items() if drill.fresh_account}
ROUND_ROBIN = sets.round_robin([drill for drill in DRILLS.values() if not drill.fresh_account])
# Every change must pass this one; the others are in the shards.
SMOKE = "1a"
# A simulated hour costs a job run. Days are for the nightly workflow.
QUIET_HOURS = 3
QUIET_DAYS = int(os.environ.get("QUIET_DAYS", "1"))

pytestmark = [
    pytest.mark.drill,
    pytest.mark.after_first_day,
    pytest.mark.skipif(shutil.which("aws") is None, reason="the runbook is written for people who have the AWS CLI"),
]


def case(drill: Drill) -> Any:
    """A drill as a parameter: those of a chapter share a lake, one with an account of its own shares nothing."""
    if drill.id == SMOKE:
        return pytest.param(drill.id, marks=[pytest.mark.smoke, pytest.mark.group("smoke")])
    together = drill.id if drill.fresh_account else f"chapter-{drill.id.rstrip(string.ascii_lowercase)}"
    return pytest.param(drill.id, marks=pytest.mark.group(together))


@pytest.fixture(scope="module")
def runner(deployed: Deployed, transformed: dict[str, Any]) -> Runner:
    """Runs drills against the deployed lake."""
    deployed.wait_until_alarms_are_over()
    return Runner(deployed, RUNBOOK, print)


@pytest.fixture(scope="module")
def results(runner: Runner) -> Iterator[dict[str, Result]]:
    """What has run in this session. At its end alarms must be over and the plan empty, and the report is written."""
    found: dict[str, Result] = {}
    yield found
    runner.drain()
    runner.require_empty_plan()
    report.write([found[name] for name in DRILLS if name in found], REPOSITORY / report.FOLDER)
    assert {name: result.problem for name, result in found.items() if not result.passed} == {}


@pytest.mark.parametrize("number", [case(drill) for drill in ROUND_ROBIN])
def test_a_cause_is_noticed_and_mended_by_the_runbook(runner: Runner, results: dict[str, Result], number: str) -> None:
    results[number] = runner.run(DRILLS[number])
    assert results[number].passed, results[number].problem


@pytest.mark.parametrize("number", [case(drill) for drill in DRILLS.values() if drill.fresh_account])
def test_a_cause_in_a_fresh_account_is_noticed_and_mended(number: str) -> None:
    result = sets.run_fresh(DRILLS[number], print)
    assert result.passed, result.problem


def test_every_alarm_has_a_drill_that_makes_it_ring(deployed: Deployed) -> None:
    alarms = deployed.client("cloudwatch").describe_alarms()["MetricAlarms"]
    rung = {alarm for drill in catalogue.drills().values() for alarm in drill.alarms}
    assert {f"aws-datalake-platform-{name}-dev" for name in rung} == {alarm["AlarmName"] for alarm in alarms}


def test_a_description_leads_to_the_section_of_the_alarm(deployed: Deployed) -> None:
    alarms = deployed.client("cloudwatch").describe_alarms()["MetricAlarms"]
    short = {re.sub(r"^aws-datalake-platform-(.*)-dev$", r"\1", alarm["AlarmName"]): alarm for alarm in alarms}
    assert [name for name in short if name not in RUNBOOK.sections] == []
    links = {name: RUNBOOK.sections[name].link for name in short}
    assert all(alarm["AlarmDescription"].endswith(f" {links[name]}") for name, alarm in short.items())


def test_no_command_spells_a_name_and_every_variable_that_no_line_sets_is_one_of_lake_names(deployed: Deployed) -> None:
    commands = "\n".join(RUNBOOK.blocks.values())
    assert deployment.PROJECT not in commands
    text = "\n".join(RUNBOOK.pages.values())
    used = set(re.findall(r"\$\{?([A-Z][A-Z0-9_]*)", commands))
    by_hand = {name for name in used if re.search(rf"\b{name}=|for {name} in|read -r [^\n]*\b{name}\b", text)}
    named = names.variables(Platform("dev", deployed.names, None, deployed.pipelines))
    assert len(used - by_hand) > 10
    assert sorted(used - by_hand - set(named)) == []


def test_every_name_is_something_that_terraform_made(deployed: Deployed) -> None:
    bucket = roots.backend(deployed.names["account_id"])["bucket"]
    keys = [roots.state_key("dev", root) for root in (roots.PLATFORM, *roots.pipelines())]
    known = set(_texts([json.loads(deployed.read(key, bucket)) for key in keys]))
    named = names.variables(Platform("dev", deployed.names, None, deployed.pipelines))
    assert sorted(name for name in named.values() if name not in known) == []


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value


def test_the_weekly_look_works(runner: Runner) -> None:
    # Whatever ran before: no alarm rings, and the last run is clean.
    runner.drain()
    runner.lake.wait_until_alarms_are_over()
    runner.lake.run_job()
    done = runner.lake.command("bash", "-euo", "pipefail", "-c", runner.shell + RUNBOOK.script("weekly.look"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^today\n\d+$", done.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    "hours", [QUIET_HOURS, pytest.param(24 * QUIET_DAYS + 2, marks=[pytest.mark.long, pytest.mark.group("quiet")])]
)
def test_nothing_rings_while_nothing_is_wrong(runner: Runner, hours: int) -> None:
    lived = quiet.live(runner.lake, hours, print)
    assert lived.is_quiet, lived
