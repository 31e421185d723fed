"""Who hears of money, read from mocked applies of the platform: as it is, and with the tags activated."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from lake.environment import plan_cost
from tests.terraform.conftest import Resources, Run, mocked_apply, state_of

TOLD = "somebody@lake.test"
TAGGED = 'budget = { monthly_usd = 250, by_tags = true, anomaly_usd = 20 }\nsecond_alert_email = "else@lake.test"\n'


@pytest.fixture(scope="module")
def tagged(tree: Path, terraform: Run, tmp_path_factory: pytest.TempPathFactory) -> Resources:
    """The platform where the billing account has activated the tags."""
    values = tmp_path_factory.mktemp("tagged") / "tagged.tfvars"
    values.write_text(TAGGED)
    return state_of(mocked_apply(tree / "terraform/platform", terraform, f"-var-file={values}"))


def warnings(budget: dict[str, Any]) -> dict[str, tuple[float, list[str]]]:
    """Kind of notification => the share in percent, and who is told."""
    return {
        of["notification_type"]: (of["threshold"], sorted(of["subscriber_email_addresses"]))
        for of in budget["notification"]
    }


def test_a_budget_of_the_account_tells_the_alert_address(platform: Resources) -> None:
    budget = platform["aws_budgets_budget.monthly"]
    assert (budget["time_unit"], budget["budget_type"], budget["limit_unit"]) == ("MONTHLY", "COST", "USD")
    assert budget["name"] == "lake-monthly-test"
    assert budget["cost_filter"] == []
    assert warnings(budget) == {"ACTUAL": (80, [TOLD]), "FORECASTED": (100, [TOLD])}
    assert {(of["comparison_operator"], of["threshold_type"]) for of in budget["notification"]} == {
        ("GREATER_THAN", "PERCENTAGE")
    }


def test_without_activated_tags_no_anomalies_are_looked_for(platform: Resources) -> None:
    assert [address for address in platform if "aws_ce_" in address] == []


def test_with_activated_tags_the_environment_alone_counts(tagged: Resources) -> None:
    budget = tagged["aws_budgets_budget.monthly"]
    assert float(budget["limit_amount"]) == 250
    (found,) = budget["cost_filter"]
    assert (found["name"], found["values"]) == ("TagKeyValue", ["user:project$lake", "user:environment$test"])
    both = [*sorted(["else@lake.test", TOLD])]
    assert warnings(budget) == {"ACTUAL": (80, both), "FORECASTED": (100, both)}


def test_anomalies_are_looked_for_in_the_project_and_told_to_both(tagged: Resources) -> None:
    monitor = tagged["aws_ce_anomaly_monitor.project[0]"]
    subscription = tagged["aws_ce_anomaly_subscription.project[0]"]
    said = json.loads(monitor["monitor_specification"])
    assert {key: value for key, value in said.items() if value} == {
        "Tags": {"Key": "user:project", "MatchOptions": None, "Values": ["lake"]}
    }
    assert {of["address"] for of in subscription["subscriber"]} == {TOLD, "else@lake.test"}
    (threshold,) = subscription["threshold_expression"]
    (dimension,) = threshold["dimension"]
    assert (dimension["key"], dimension["values"]) == ("ANOMALY_TOTAL_IMPACT_ABSOLUTE", ["20"])


def test_the_second_address_has_a_topic_of_its_own_that_learns_when_nobody_learns(tagged: Resources) -> None:
    topics = {a: v for a, v in tagged.items() if v["resource_type"] == "aws_sns_topic"}
    assert len(topics) == 2
    assert {v["kms_master_key_id"] for v in topics.values()} == {tagged["aws_kms_key.alerts"]["arn"]}
    told = {v["endpoint"]: v["protocol"] for v in tagged.values() if v["resource_type"] == "aws_sns_topic_subscription"}
    assert told == {TOLD: "email", "else@lake.test": "email"}
    (unheard,) = (v for a, v in tagged.items() if a.startswith('module.alarm["alerts-unheard"]'))
    both = {v["arn"] for v in topics.values()}
    assert set(unheard["alarm_actions"]) == set(unheard["ok_actions"]) == both


@pytest.mark.parametrize(
    ("given", "sentence"),
    [("{ monthly_usd = 0 }", "must be more than 0"), ("{ anomaly_usd = 20 }", "anomaly_usd needs by_tags")],
)
def test_a_budget_that_never_tells_is_refused(
    tree: Path, terraform: Run, tmp_path: Path, given: str, sentence: str
) -> None:
    folder = tmp_path / "terraform/platform"
    shutil.copytree(tree, tmp_path, dirs_exist_ok=True)
    terraform(folder, "init", "-backend=false", "-input=false")
    (tmp_path / "wrong.tfvars").write_text(f"budget = {given}\n")
    refused = terraform(folder, "test", "-no-color", f"-var-file={tmp_path / 'wrong.tfvars'}")
    assert refused.returncode == 1
    assert sentence in " ".join((refused.stdout + refused.stderr).split())


def test_the_default_budget_is_what_the_base_load_costs_with_headroom(platform: Resources) -> None:
    created = [
        {"address": address, "type": values["resource_type"], "change": {"actions": ["create"], "after": values}}
        for address, values in platform.items()
    ]
    usd = plan_cost.difference({"resource_changes": created}).usd_a_month
    budget = float(platform["aws_budgets_budget.monthly"]["limit_amount"])
    assert 1.25 * usd <= budget <= 2 * usd, f"the base load costs {usd:.0f} USD a month, the budget is {budget:.0f}"
