"""The flow as the deployment tells it, and what is drawn of a deployment that does not tell all."""

import json
import shutil
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lake.contract import model
from lake.environment import inventory
from lake.environment.deployment import Platform
from lake.environment.partial_results import PartialResult
from lake.report import flow, layout
from lake.report.flow import Step, Steps

NAMES = {"lake_bucket": "bucket", "project": "aws-datalake-platform"}
PIPELINES = {"weather_iot": {"streams": {"iot_firehose": "aws-datalake-platform-iot-firehose-dev"}}}
RECORDS = {
    f"{prefix}{name}": PartialResult("Athena", 1)
    for name in ("raw_weather", "raw_iot_sensors", "curated_weather", "curated_sensor_readings")
    for prefix in ("", "quarantine_")
}


def answering(**operations: Any) -> Platform:
    """A platform whose every client gives these answers."""
    client = SimpleNamespace(**{name: lambda answer=answer, **_: answer for name, answer in operations.items()})
    return Platform("dev", NAMES, SimpleNamespace(client=lambda _service: client), PIPELINES)


@pytest.mark.parametrize(
    ("variables", "feeds"),
    [
        ({"WRITES": json.dumps({"raw_weather": "s3://bucket/raw/weather/"})}, ("raw_weather",)),
        ({"WRITES": "{}", "FIREHOSE_NAME": "aws-datalake-platform-iot-firehose-dev"}, ("iot-firehose",)),
        ({}, ()),
    ],
)
def test_a_function_feeds_what_its_settings_name(variables: dict[str, str], feeds: tuple[str, ...]) -> None:
    platform = answering(get_function_configuration={"Environment": {"Variables": variables}})
    assert flow.function_feeds(platform, "any") == feeds


def test_a_function_whose_settings_may_not_be_seen_feeds_nothing() -> None:
    assert flow.function_feeds(answering(get_function_configuration={}), "any") == ()


@pytest.mark.parametrize(
    ("processing", "helper"),
    [
        ({}, ""),
        (
            {"Processors": [{"Type": "Lambda", "Parameters": [
                {"ParameterName": "LambdaArn", "ParameterValue": "arn:aws:lambda:x:0:function:check-dev:live"},
            ]}]},
            "check-dev",
        ),
    ],
)  # fmt: skip
def test_a_stream_feeds_the_dataset_of_its_prefix_through_its_function(processing: dict[str, Any], helper: str) -> None:
    destination = {"Prefix": "raw/iot-sensors/year=!{timestamp:yyyy}/", "ProcessingConfiguration": processing}
    destinations = [{"ExtendedS3DestinationDescription": destination}]
    answer = {"DeliveryStreamDescription": {"Destinations": destinations}}
    assert flow.stream_ends(answering(describe_delivery_stream=answer), "any") == (("raw_iot_sensors",), helper)


def test_a_job_reads_and_writes_what_its_arguments_say() -> None:
    arguments = {"--reads": '{"raw_weather": "s3://…"}', "--writes": '{"curated_weather": "s3://…"}'}
    platform = answering(get_job={"Job": {"DefaultArguments": {"--reads": "{}"}, "NonOverridableArguments": arguments}})
    assert flow.job_ends(platform, "any") == (("raw_weather",), ("curated_weather",))


def test_a_step_of_which_nothing_can_be_read_still_has_a_place_of_its_own() -> None:
    gone = tuple(Step(name, (), ("not readable",), bad=True, failure="gone") for name in ("one", "two"))
    drawn = flow.flow(Steps(gone, (), (), {}), {}, RECORDS, {})
    for picture in (layout.wide(drawn), layout.narrow(drawn)):
        places = {box.node.name: (box.x, box.y) for box in picture.boxes}
        assert len(set(places.values())) == len(places)
        assert {"one", "two"} <= set(places)


def test_what_feeds_a_dataset_stands_in_its_lane() -> None:
    steps = Steps(
        (Step("ingest", ("raw_weather",), ()),), (), (Step("job", ("curated_weather",), ()),), {"job": ("raw_weather",)}
    )
    nodes = {node.name: node for node in flow.flow(steps, {}, RECORDS, {}).nodes}
    lane = nodes["curated_weather"].lanes
    assert [nodes[name].lanes for name in ("ingest", "raw_weather", "job", "quarantine_curated_weather")] == [lane] * 4


def test_arrows_lead_only_to_what_is_drawn() -> None:
    steps = Steps((Step("ingest", ("raw_weather", "elsewhere"), ()),), (), (), {})
    drawn = flow.flow(steps, {}, RECORDS, {})
    assert ("ingest", "raw_weather") in drawn.edges
    assert not any("elsewhere" in edge for edge in drawn.edges)


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 B"), (999, "999 B"), (2068, "2.1 kB"), (222535, "223 kB"), (48_200_000, "48.2 MB")]
)
def test_sizes_are_said_as_people_read_them(number: int, said: str) -> None:
    assert flow.size(number) == said


SHARED = {"curated_hours": "raw_weather", "curated_other": "raw_iot_sensors", "curated_days": "raw_weather"}


@pytest.fixture
def curated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """A lake with some of the curated datasets of ``SHARED``, each made from its raw one."""
    names = list(SHARED)[: request.param]
    shutil.copytree(model.folder(), tmp_path / "contracts", ignore=shutil.ignore_patterns("curated_*"))
    for name in names:
        text = (model.folder() / "weather_iot" / "curated_weather.yaml").read_text(encoding="utf-8")
        text = text.replace("curated_weather", name).replace("raw_weather", SHARED[name])
        (tmp_path / "contracts" / "weather_iot" / f"{name}.yaml").write_text(text, encoding="utf-8")
    monkeypatch.setattr(model, "folder", lambda: tmp_path / "contracts")
    model.load.cache_clear()
    yield names
    model.load.cache_clear()


@pytest.mark.parametrize("jobs", [0, 1, 3])
@pytest.mark.parametrize("curated", [0, 1, 3], indirect=True)
def test_any_number_of_datasets_and_jobs_is_drawn_and_none_hides_another(curated: list[str], jobs: int) -> None:
    raw = {SHARED[name] for name in curated}
    tables = {*raw, *curated, *(f"quarantine_{name}" for name in curated)}
    steps = Steps(
        (),
        (),
        tuple(Step(f"job-{number}", tuple(curated[number:]), ()) for number in range(jobs)),
        {f"job-{number}": tuple(raw) for number in range(jobs)},
    )
    drawn = flow.flow(steps, {}, {name: PartialResult("Athena", 1) for name in tables}, {})
    assert sorted(node.name for node in drawn.nodes) == sorted(
        {*tables, *(f"job-{number}" for number in range(jobs)), flow.QUERY}
    )
    for picture in (layout.wide(drawn), layout.narrow(drawn)):
        assert len(picture.paths) == len(drawn.edges)
        assert [(one.node.name, two.node.name) for one, two in combinations(picture.boxes, 2) if _meet(one, two)] == []
        assert all(box.x >= 0 and box.x + box.width <= picture.width for box in picture.boxes)
        assert all(box.y >= 0 and box.y + box.height <= picture.height for box in picture.boxes)


def _meet(one: layout.Box, two: layout.Box) -> bool:
    return (
        one.x < two.x + two.width
        and two.x < one.x + one.width
        and one.y < two.y + two.height
        and two.y < one.y + one.height
    )


@pytest.mark.parametrize("curated", [0, 3], indirect=True)
def test_the_datasets_of_a_lake_are_listed_once_each(curated: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory, "_dataset", lambda _platform, loaded: loaded)
    listed = [loaded.name for loaded in inventory.datasets(answering())]
    assert sorted(listed) == sorted({*curated, *(SHARED[name] for name in curated)})
