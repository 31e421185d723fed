"""What `lake names` prints, and which lake `--project` chooses."""

import json
import os
import subprocess
from typing import Any

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner

from lake.cli import application
from lake.environment import deployment, names
from lake.environment.deployment import NotDeployed, Platform

PLATFORM = {
    "project": "acme", "account_id": "123456789012", "region": "eu-west-1", "lake_bucket": "acme-lake",
    "results_bucket": "acme-results", "logs_bucket": "acme-logs", "code_bucket": "acme-code",
    "database": "acme_dev", "workgroup": "acme-analytics",
    "ledger": "acme-ledger", "pseudonym_key": "acme-key", "repair_role": "arn:aws:iam::123456789012:role/repair",
    "alerts": "arn:aws:sns:eu-west-1:123456789012:alerts", "dead_letters": "https://queue/a?b=c d",
    "watch": "acme-watch",
    "privacy_alias": "alias/acme-privacy", "key_role": "arn:aws:iam::123456789012:role/key",
    "analyst_role": "arn:aws:iam::123456789012:role/analyst", "analysts_workgroup": "acme-analysts",
    "key_alias": "alias/acme", "dashboard": "acme-dev",
}  # fmt: skip
REGISTERED = {
    "sales": {
        "functions": {"batch_ingest": "acme-batch-ingest-dev"},
        "jobs": {"transform": "acme-sales-transform-dev"},
        "operations": {"erase": "acme-erase-dev"},
        "streams": {"orders-in": "acme-orders-in-dev"},
    },
    "stock": {"jobs": {"transform": "acme-stock-transform-dev"}},
}


def test_every_name_of_the_platform_and_of_each_pipeline_is_a_variable() -> None:
    found = names.variables(Platform("dev", PLATFORM, None, REGISTERED))
    assert set(found.values()) >= {str(value) for value in PLATFORM.values()}
    assert {name: value for name, value in found.items() if name.startswith(("SALES_", "STOCK_"))} == {
        "SALES_BATCH_INGEST": "acme-batch-ingest-dev",
        "SALES_TRANSFORM": "acme-sales-transform-dev",
        "SALES_ERASE": "acme-erase-dev",
        "SALES_ORDERS_IN": "acme-orders-in-dev",
        "STOCK_TRANSFORM": "acme-stock-transform-dev",
    }


def test_a_shell_reads_the_names_as_they_are() -> None:
    commands = names.commands(Platform("dev", PLATFORM, None, REGISTERED))
    script = f'{commands}\nprintf "%s\\n" "$DEAD_LETTERS" "$STOCK_TRANSFORM"'
    done = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["https://queue/a?b=c d", "acme-stock-transform-dev"]


@pytest.fixture
def two_projects(monkeypatch: pytest.MonkeyPatch) -> Any:
    """An account with the lake of this repository and that of a fork."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("LAKE_PROJECT", "")
    with mock_aws():
        for project in (deployment.PROJECT, "acme"):
            value = json.dumps({**PLATFORM, "project": project, "lake_bucket": f"{project}-lake"})
            boto3.client("ssm").put_parameter(Name=f"/lake/{project}/dev", Value=value, Type="String")
        yield


@pytest.mark.parametrize(
    ("words", "bucket"),
    [(["names"], "aws-datalake-platform-lake"), (["--project", "acme", "names"], "acme-lake")],
)
def test_the_project_decides_which_lake_is_meant(two_projects: Any, words: list[str], bucket: str) -> None:
    done = CliRunner().invoke(application.application, words)
    assert done.exit_code == 0, done.output
    assert f"BUCKET={bucket}" in done.stdout.splitlines()


def test_a_project_that_is_not_there_is_named(two_projects: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKE_PROJECT", "elsewhere")
    with pytest.raises(NotDeployed, match="there is no parameter /lake/elsewhere/dev"):
        deployment.load("dev")
