"""A second fork lives beside the first one in the same account."""

import json
import subprocess
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.pipelines.deployment import Deployed

# The beginning of all names, and of the names of buckets.
FORK = {"LAKE_PROJECT": "acme", "TF_VAR_bucket_prefix": "acme-data"}
# What is the account's, not a lake's.
SHARED = {"ACCOUNT", "REGION"}


@dataclass(frozen=True)
class Both:
    """What Terraform says about each lake once both are there."""

    first: subprocess.CompletedProcess[str]
    second: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def fork(deployed: Deployed) -> Deployed:
    """The same account, with Terraform's plugins of the fork; its commands need FORK."""
    fork = replace(deployed, terraform_data=deployed.terraform_data.with_name("fork"), said=[])
    bootstrapped = fork.command("bash", "terraform/bootstrap.sh", **FORK)
    assert (bootstrapped.returncode, bootstrapped.stdout.count("created")) == (0, 2), bootstrapped.stderr
    applied = fork.terraform("apply", **FORK)
    assert applied.returncode == 0, applied.stdout[-3000:] + applied.stderr
    return fork


@pytest.fixture(scope="module")
def plans(deployed: Deployed, fork: Deployed) -> Both:
    return Both(deployed.terraform("plan"), fork.terraform("plan", **FORK))


def lake(deployed: Deployed, *words: str) -> Any:
    """What a command of lake prints as JSON."""
    done = deployed.command(".venv/bin/lake", *words, "--json")
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def test_neither_plan_finds_anything_to_do(plans: Both) -> None:
    for plan in (plans.first, plans.second):
        assert plan.returncode == 0, plan.stdout[-3000:] + plan.stderr
        assert plan.stdout.count("No changes. Your infrastructure matches the configuration.") == 2


def test_they_share_no_name(deployed: Deployed, fork: Deployed) -> None:
    (first,), (second,) = lake(deployed, "names"), lake(deployed, "--project", "acme", "names")
    assert first.keys() == second.keys()
    assert {name for name in first if first[name] == second[name]} == SHARED
    assert second["BUCKET"].startswith("acme-data-")
    assert second["WEATHER_IOT_TRANSFORM"] == "acme-transform-dev"


def test_each_command_sees_the_lake_of_its_project(deployed: Deployed, fork: Deployed) -> None:
    (first,), (second,) = lake(deployed, "status"), lake(deployed, "--project", "acme", "status")
    beginnings = [{alarm["alarm"].split("-")[0] for alarm in seen["alarms"]} for seen in (first, second)]
    assert beginnings == [{"aws"}, {"acme"}]
    assert len(first["alarms"]) == len(second["alarms"])


def test_what_happens_in_one_does_not_happen_in_the_other(deployed: Deployed, fork: Deployed) -> None:
    (named,) = lake(deployed, "--project", "acme", "names")
    before = set(deployed.objects(""))
    answer = deployed.client("lambda").invoke(
        FunctionName=named["WEATHER_IOT_BATCH_INGEST"], Qualifier="live", Payload=b"{}"
    )
    assert "FunctionError" not in answer, answer["Payload"].read()
    assert deployed.objects("raw/weather/", named["BUCKET"])
    assert set(deployed.objects("")) == before
