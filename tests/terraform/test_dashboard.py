"""The dashboard: graphs of metrics that have data, all alarms, nothing on top of anything."""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest

from scripts import roots
from tests.metric_catalogue import catalogue, metric
from tests.terraform.conftest import Resources, contracts

PROMISES = {
    "raw_weather": 93600, "raw_iot_sensors": 900, "curated_weather": 7200, "curated_sensor_readings": 7200,
}  # fmt: skip


@pytest.fixture(scope="module")
def dashboards(platform: Resources) -> dict[str, list[dict[str, Any]]]:
    """Name => widgets."""
    found = [v for v in platform.values() if v["resource_type"] == "aws_cloudwatch_dashboard"]
    return {page["dashboard_name"]: json.loads(page["dashboard_body"])["widgets"] for page in found}


@pytest.fixture(scope="module")
def widgets(dashboards: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The widgets of all pages."""
    pipelines = {f"lake-{name.replace('_', '-')}-test" for name in roots.pipelines()}
    assert dashboards.keys() == {"lake-test", *pipelines} >= {"lake-weather-iot-test"}
    return [widget for page in dashboards.values() for widget in page]


def graphed(widgets: list[dict[str, Any]]) -> Iterator[tuple[str, str, str, dict[str, str]]]:
    """Title of the graph, and namespace, name and dimensions of each metric in it."""
    for widget in widgets:
        for entry in widget["properties"].get("metrics", []):
            words = [word for word in entry if isinstance(word, str)]
            if words:
                of = dict(zip(words[2::2], words[3::2], strict=True))
                yield widget["properties"]["title"], words[0], words[1], of


def test_every_graph_shows_metrics_that_have_data(widgets: list[dict[str, Any]]) -> None:
    known = catalogue("lake")
    shown = [(title, metric(namespace, name, of)) for title, namespace, name, of in graphed(widgets)]
    assert [entry for entry in shown if entry[1] not in known] == []
    assert {title for title, _ in shown} == {w["properties"]["title"] for w in widgets if w["type"] == "metric"}


def test_it_shows_flow_freshness_counts_quality_and_cost(widgets: list[dict[str, Any]]) -> None:
    names = {name for _, _, name, _ in graphed(widgets)}
    assert names >= {
        "IncomingRecords", "DeliveryToS3.Records", "Freshness", "RecordsNew", "RecordsQuarantined", "QuarantineRatio",
        "RecordsRefused", "RecordsUnreconciled", "RunsFailed", "glue.driver.aggregate.elapsedTime", "Duration",
        "IncomingBytes", "ProcessedBytes", "BucketSizeBytes",
    }  # fmt: skip


def test_every_dataset_is_measured_by_its_own_promise(widgets: list[dict[str, Any]]) -> None:
    age = [entry for w in widgets if "promises" in w["properties"]["title"] for entry in w["properties"]["metrics"]]
    promises = {loaded.name: loaded.freshness_seconds for loaded in contracts() if loaded.freshness_seconds}
    assert promises.items() >= PROMISES.items()
    shares = {entry[0]["label"]: entry[0]["expression"] for entry in age if "expression" in entry[0]}
    assert shares == {name: f"100 * {name} / {seconds}" for name, seconds in promises.items()}
    hidden = {entry[-1]["id"]: dict(zip(entry[2:-1:2], entry[3:-1:2], strict=True)) for entry in age if len(entry) > 1}
    assert {name: of["Dataset"] for name, of in hidden.items()} == {name: name for name in promises}


def test_it_shows_every_alarm(platform: Resources, widgets: list[dict[str, Any]]) -> None:
    lists = [widget["properties"]["alarms"] for widget in widgets if widget["type"] == "alarm"]
    listed = [alarm for of_page in lists for alarm in of_page]
    alarms = [v["alarm_name"] for v in platform.values() if v["resource_type"] == "aws_cloudwatch_metric_alarm"]
    assert sorted(listed) == sorted(f"arn:aws:cloudwatch:eu-west-1:123456789012:alarm:{name}" for name in alarms)


def test_no_widget_lies_on_another_or_beside_the_page(dashboards: dict[str, list[dict[str, Any]]]) -> None:
    for page in dashboards.values():
        cells = [
            (x, y)
            for w in page
            for x, y in itertools.product(range(w["x"], w["x"] + w["width"]), range(w["y"], w["y"] + w["height"]))
        ]
        assert len(cells) == len(set(cells))
        assert max(x for x, _ in cells) < 24
