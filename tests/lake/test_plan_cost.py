"""By how much a plan changes the cost: what stands, what is used at the base load, and what has no price."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lake.cli.application import application
from lake.environment import cost, plan_cost


def entry(kind: str, before: dict[str, Any] | None, after: dict[str, Any] | None) -> dict[str, Any]:
    actions = {(True, False): ["create"], (False, True): ["delete"]}.get((before is None, after is None), ["update"])
    return {"address": f"{kind}.x", "type": kind, "change": {"actions": actions, "before": before, "after": after}}


def difference(*entries: dict[str, Any]) -> plan_cost.Difference:
    return plan_cost.difference({"resource_changes": list(entries)})


def test_what_stands_is_added_and_removed_at_its_price() -> None:
    found = difference(entry("aws_kms_key", None, {}), entry("aws_secretsmanager_secret", {}, None))
    assert [(change.before, change.after) for change in found.changes] == [(0.0, 1.0), (0.4, 0.0)]
    assert found.usd_a_month == pytest.approx(0.6)


def test_a_job_costs_its_workers_at_the_base_load() -> None:
    job = {"worker_type": "G.1X", "number_of_workers": 2}
    found = difference(entry("aws_glue_job", job, {**job, "number_of_workers": 4}))
    hours = plan_cost.base_load()["job"]["runs_a_month"] * cost.dpu_hours("G.1X", 2, 60)
    assert found.usd_a_month == pytest.approx(hours * 0.44)


def test_a_job_for_repairs_does_not_run_every_hour() -> None:
    job = {"worker_type": "G.1X", "number_of_workers": 2, "execution_property": [{"max_concurrent_runs": 3}]}
    load = plan_cost.base_load()["job_by_hand"]
    hours = load["runs_a_month"] * cost.dpu_hours("G.1X", 2, load["seconds"])
    assert difference(entry("aws_glue_job", None, job)).usd_a_month == pytest.approx(hours * 0.44)


def test_a_schedule_is_read_where_it_is_a_rate() -> None:
    one, two = ({"schedule_expression": f"rate({text})"} for text in ("1 hour", "5 minutes"))
    assert difference(entry("aws_scheduler_schedule", one, two)).usd_a_month == pytest.approx((8760 - 730) / 1e6)


def test_an_alarm_of_metric_math_costs_each_of_its_metrics() -> None:
    of_two = {"metric_query": [{"metric": [{}]}, {"metric": [{}]}, {"metric": [], "expression": "a/b"}]}
    assert difference(entry("aws_cloudwatch_metric_alarm", None, of_two)).usd_a_month == pytest.approx(0.2)


def test_it_says_when_nothing_has_a_price() -> None:
    found = difference(entry("aws_iam_role", None, {}), entry("aws_iam_role", None, {}))
    assert found.summary == "Nothing that has a price changes."
    assert found.unpriced == {"aws_iam_role": 2}


def test_what_stays_costs_nothing() -> None:
    same = {"actions": ["no-op"], "before": {}, "after": {}}
    staying = [{**entry(kind, {}, {}), "change": same} for kind in ("aws_kms_key", "aws_iam_role")]
    assert difference(*staying) == plan_cost.Difference((), {})


def test_the_command_asks_no_account(tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"resource_changes": [entry("aws_kms_key", None, {})]}))
    done = CliRunner().invoke(application, ["cost", "--plan", str(plan), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout[: done.stdout.rindex("]") + 1])[0]["usd_a_month"] == 1.0


def test_what_is_no_plan_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text("[]")
    done = CliRunner().invoke(application, ["cost", "--plan", str(tmp_path / "plan.json")])
    assert done.exit_code == 1
    assert "is no plan as" in str(done.exception)
