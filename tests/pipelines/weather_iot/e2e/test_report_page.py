"""The lake on one page, drawn from what is deployed."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.pipelines.deployment import Deployed

pytestmark = pytest.mark.after_first_day


def test_the_page_is_whole_and_names_every_alarm_and_dataset(
    deployed: Deployed, transformed: dict[str, Any], tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    done = deployed.command(".venv/bin/lake", "report", "--output", str(page))
    assert done.returncode == 0, done.stdout + done.stderr
    text = page.read_text(encoding="utf-8")
    alarms = [alarm.removeprefix("aws-datalake-platform-") for alarm in deployed.pipelines["weather_iot"]["alarms"]]
    assert [name for name in alarms if name.removesuffix("-dev") not in text] == []
    assert [name for name in deployed.pipelines["weather_iot"]["datasets"] if name not in text] == []
    assert re.findall(r'(?:src|href)="https?://(?!github|console)[^"]*"', text) == []


def test_the_estimate_of_cost_has_a_price_for_all_that_runs(deployed: Deployed, transformed: dict[str, Any]) -> None:
    done = deployed.command(".venv/bin/lake", "cost", "--json")
    assert done.returncode == 0, done.stderr
    (estimate,) = json.loads(done.stdout)
    services = {line["service"] for line in estimate["lines"]}
    assert {"Glue", "Lambda", "Firehose", "S3", "CloudWatch", "KMS"} <= services
