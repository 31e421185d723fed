"""Every command of the runbook, in a shell, on a lake where nothing is wrong."""

import re
import shutil
from typing import Any

import pytest

from tests.end_to_end.deployment import Deployed
from tests.local_aws import REPOSITORY

RUNBOOK: str = (REPOSITORY / "RUNBOOK.md").read_text(encoding="utf-8")
BLOCKS: dict[str, str] = dict(re.findall(r"```bash id=(\S+)\n(.*?)```", RUNBOOK, re.DOTALL))

pytestmark = [
    pytest.mark.usefixtures("transformed"),
    pytest.mark.skipif(shutil.which("aws") is None, reason="the runbook is written for people who have the AWS CLI"),
]


def test_every_block_of_the_runbook_has_an_id() -> None:
    assert RUNBOOK.count("```bash") == len(BLOCKS) > 10


def test_every_alarm_has_a_section_and_its_description_leads_there(deployed: Deployed) -> None:
    alarms = deployed.client("cloudwatch").describe_alarms()["MetricAlarms"]
    sections = re.findall(r"^## (\S+)$", RUNBOOK, re.MULTILINE)
    short = {re.sub(r"^aws-datalake-platform-(.*)-dev$", r"\1", alarm["AlarmName"]): alarm for alarm in alarms}
    assert len(short) >= 4
    assert [name for name in short if name not in sections] == []
    assert all(f"RUNBOOK.md#{name}" in alarm["AlarmDescription"] for name, alarm in short.items())


@pytest.mark.parametrize("block", [name for name in BLOCKS if name != "start"])
def test_a_block_does_what_it_says(deployed: Deployed, block: str) -> None:
    done = deployed.command(
        "bash", "-euo", "pipefail", "-c", f'eval "$(make -s env)"\n{BLOCKS["start"]}\n{BLOCKS[block]}'
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FunctionError" not in done.stdout
    if run_id := re.search(r'"JobRunId": "(\w+)"', done.stdout):
        run: dict[str, Any] = deployed.ended(run_id[1])
        assert run["JobRunState"] == "SUCCEEDED", run.get("ErrorMessage")
