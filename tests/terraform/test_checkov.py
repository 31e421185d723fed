"""What checkov is told to pass over: each check fails here, or it would hide what comes next; and each has a reason."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.terraform.conftest import REPOSITORY, Resources

SKIPS = dict(re.findall(r"^  - (CKV\w+) +# (.+)$", (REPOSITORY / ".checkov.yaml").read_text(encoding="utf-8"), re.M))
# It reads the policies that a plan holds: tests/pipelines/weather_iot/e2e/test_deploy.py.
IN_PLANS_ALONE = {"CKV_AWS_61", "CKV_AWS_145"}


def test_every_skip_has_its_reason() -> None:
    listed = re.findall(r"^  - (\S+)", (REPOSITORY / ".checkov.yaml").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(listed) == SKIPS.keys()
    assert len(listed) == len(SKIPS) > 10


@pytest.mark.component
def test_what_fails_without_the_skips_is_what_they_name(tmp_path: Path) -> None:
    """It takes a configuration from the folder where it is called, so it is called in another one."""
    said = subprocess.run(
        [
            REPOSITORY / ".venv-checks/bin/checkov", "--directory", REPOSITORY / "terraform",
            "--framework", "terraform", "--skip-download", "--quiet", "--compact", "--output", "json",
        ],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    failed = {of["check_id"] for of in json.loads(said.stdout)["results"]["failed_checks"]}
    assert failed == SKIPS.keys() - IN_PLANS_ALONE


def test_a_parameter_holds_names_and_switches_alone(platform: Resources) -> None:
    """The reason of CKV2_AWS_34."""
    for address, parameter in platform.items():
        if parameter["resource_type"] == "aws_ssm_parameter":
            names = {name for name in json.loads(parameter["value"]) if re.search("secret|password|token", name)}
            assert names == set(), address


def test_a_schedule_holds_the_time_and_the_name_of_what_it_starts(platform: Resources) -> None:
    """The reason of CKV_AWS_297."""
    for address, schedule in platform.items():
        if schedule["resource_type"] == "aws_scheduler_schedule":
            assert json.loads(schedule["target"][0]["input"]).keys() <= {"time", "JobName"}, address


def test_no_function_is_in_a_network_or_has_a_dead_letter_queue_beside_its_destination(platform: Resources) -> None:
    """The reasons of CKV_AWS_116 and CKV_AWS_117; that it has a destination says test_operations."""
    for address, function in platform.items():
        if function["resource_type"] == "aws_lambda_function":
            assert not function["vpc_config"] and not function["dead_letter_config"], address
