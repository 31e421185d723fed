"""Deleting data takes two switches, and then nothing of the environment is left."""

import subprocess

import pytest

from tests.pipelines.deployment import Deployed
from tests.pipelines.weather_iot.e2e.test_deploy import STATE_BUCKET

SWITCH = {"TF_VAR_allow_destroy": "true"}


def buckets(deployed: Deployed) -> set[str]:
    names = {bucket["Name"] for bucket in deployed.client("s3").list_buckets()["Buckets"]}
    return {name for name in names if name.startswith("aws-datalake-platform-")}


def test_destroy_is_refused_without_both_switches_and_nothing_is_touched(deployed: Deployed) -> None:
    before = buckets(deployed), deployed.etags("")
    assert len(before[0]) == 5
    for switches in ({}, {"CONFIRM": "dev"}, {"CONFIRM": "dev", **SWITCH}):
        refused = deployed.terraform("destroy", **switches)
        assert refused.returncode == 1
        assert "set allow_destroy = true in its dev.tfvars and apply that first" in refused.stderr
    assert (buckets(deployed), deployed.etags("")) == before


@pytest.fixture(scope="module")
def allowed(deployed: Deployed) -> subprocess.CompletedProcess[str]:
    """The first switch, applied."""
    return deployed.terraform("apply", **SWITCH)


def test_destroy_is_refused_without_the_second_switch(
    deployed: Deployed, allowed: subprocess.CompletedProcess[str]
) -> None:
    assert allowed.returncode == 0, allowed.stdout[-2000:] + allowed.stderr
    before = deployed.etags("")
    for confirmed in ({}, {"CONFIRM": "prod"}):
        refused = deployed.terraform("destroy", **SWITCH, **confirmed)
        assert (refused.returncode, "give CONFIRM=dev" in refused.stderr) == (1, True), refused.stdout
    assert deployed.etags("") == before


@pytest.mark.smoke
@pytest.mark.group("smoke")
def test_both_switches_leave_nothing(deployed: Deployed, allowed: subprocess.CompletedProcess[str]) -> None:
    ledger, database = deployed.names["ledger"], deployed.names["database"]
    destroyed = deployed.terraform("destroy", **SWITCH, CONFIRM="dev")
    assert destroyed.returncode == 0, destroyed.stdout[-3000:] + destroyed.stderr
    assert buckets(deployed) == {STATE_BUCKET}
    assert ledger not in deployed.client("dynamodb").list_tables()["TableNames"]
    assert database not in [entry["Name"] for entry in deployed.client("glue").get_databases()["DatabaseList"]]
    assert not [
        entry
        for entry in deployed.client("lambda").list_functions()["Functions"]
        if entry["FunctionName"].startswith("aws-datalake-platform-")
    ]
    roles = deployed.client("iam").list_roles()["Roles"]
    assert not [role["RoleName"] for role in roles if role["RoleName"].startswith("aws-datalake-platform-")]
