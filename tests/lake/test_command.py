"""What the commands that look at the lake print, and how they end."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lake.cli import application, job_requests
from lake.environment import cost, health, inventory, usage
from lake.environment.cost import Usage, Window
from lake.environment.deployment import Platform
from lake.environment.partial_results import PartialResult
from lake.report import gather
from lake.report.model import Report
from tests.report import sample

WINDOW = Window(sample.NOW, sample.NOW)


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the commands find: the sample lake, with nothing wrong; tests put their trouble into it."""
    calm = replace(sample.empty().state, alarms=PartialResult("CloudWatch", []))
    found: dict[str, Any] = {
        "report": sample.empty(),
        "state": calm,
        "usages": [Usage("KMS", "1 keys", "kms_key", 1, True)],
    }
    monkeypatch.setattr(application, "load", lambda env: Platform(env, {}, None))
    monkeypatch.setattr(health, "load", lambda _platform: found["state"])
    monkeypatch.setattr(gather, "report", lambda _platform: found["report"])
    monkeypatch.setattr(usage, "window", lambda _platform: WINDOW)
    monkeypatch.setattr(usage, "measured", lambda _platform, _window: found["usages"])
    return found


def run(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(application.application, words)
    return done.exit_code, done.stdout, done.stderr


def test_status_of_a_lake_that_is_well_ends_with_0(lake: dict[str, Any]) -> None:
    code, out, _ = run("status")
    assert (code, out.splitlines()[-1]) == (0, "Needs attention: nothing")


def test_status_with_an_alarm_ends_with_1_and_names_the_section(lake: dict[str, Any]) -> None:
    lake["state"] = sample.busy().state
    code, out, _ = run("status")
    assert code == 1
    (line,) = [line for line in out.splitlines() if line.startswith("quarantine-ratio is in ALARM")]
    assert line.endswith("\tdocs/runbooks/weather_iot.md#quarantine-ratio")


def test_status_as_json_has_the_problems_too(lake: dict[str, Any]) -> None:
    lake["state"] = sample.busy().state
    code, out, _ = run("status", "--json")
    (said,) = json.loads(out)
    assert (code, len(said["problems"]), len(said["datasets"])) == (1, 2, len(sample.NAMES))


def test_status_of_which_a_part_cannot_be_read_ends_with_1(lake: dict[str, Any]) -> None:
    lake["state"] = replace(lake["state"], alarms=PartialResult("CloudWatch", None, "AccessDenied: no"))
    code, out, _ = run("status")
    assert (code, "The alarms could not be read: AccessDenied: no" in out) == (1, True)


def test_cost_is_printed_with_its_sum_and_what_it_is_worth_beside(lake: dict[str, Any]) -> None:
    code, out, err = run("cost")
    assert code == 0
    assert out.splitlines()[1:] == [
        "KMS\t1 keys\t1\t$1.00 per key and month\t1.00\t",
        "total\t\t\t\t1.00\t",
    ]
    assert err.startswith("An estimate, not a bill: ")
    assert all(left_out in err for left_out in cost.book()["left_out"])


def test_cost_as_json_has_the_source_of_each_price(lake: dict[str, Any]) -> None:
    (said,) = json.loads(run("cost", "--json")[1])
    assert said["usd_a_month"] == 1.0
    assert said["lines"][0]["price"]["source"].startswith("https://")


def test_cost_that_a_service_would_not_tell_ends_with_1(lake: dict[str, Any]) -> None:
    lake["usages"] = [Usage("KMS", "not measured", "kms_key", None, note="denied", failed=True)]
    code, out, _ = run("cost")
    assert (code, out.splitlines()[1].split("\t")) == (
        1, ["KMS", "not measured", "unknown", "$1.00 per key and month", "unknown", "denied"],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("report", "code"), [(sample.busy(), 0), (sample.empty(), 0), (sample.unreadable(), 1)], ids=["busy", "empty", "no"]
)
def test_report_writes_a_page_and_ends_with_1_when_a_part_of_it_is_missing(
    lake: dict[str, Any], tmp_path: Path, report: Report, code: int
) -> None:
    lake["report"] = report
    output = tmp_path / "new" / "page.html"
    ended, out, err = run("report", "--output", str(output), "--runbook", "https://example.com/RUNBOOK.md")
    assert (ended, out) == (code, f"the page: {output}\n")
    assert len(err.splitlines()) == len(report.failures)
    assert output.read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize("options", [[], ["--yes"]])
def test_a_run_is_given_up_only_with_yes(options: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(application, "load", lambda _: None)

    def ask(name: str) -> Any:
        def asking(*words: Any) -> list[dict[str, int]]:
            asked.append((name, *words[1:]))
            return [{"published": 1}]

        return asking

    monkeypatch.setattr(job_requests, "answer", ask("answer"))
    monkeypatch.setattr(job_requests, "done", ask("done"))
    monkeypatch.setattr(inventory, "runs", lambda *_: [run for run in sample.runs() if run.status == "FAILED"])
    run_id = next(run.run_id for run in sample.runs() if run.status == "FAILED")
    said = CliRunner().invoke(application.application, ["abandon", "curated_weather", run_id, *options])
    assert said.exit_code == 0, said.output
    assert asked == [("done" if options else "answer", "curated_weather", "abandon", {"run": run_id})]
    assert ("Nothing was changed" in said.output, run_id in said.output) == (not options, bool(options))
