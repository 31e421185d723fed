"""The flow as the deployment tells it, and what is drawn of a deployment that does not tell all."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from lake.environment.deployment import Platform
from lake.environment.partial_results import Part
from lake.report import flow, layout
from lake.report.flow import Hop, Hops

NAMES = {"lake_bucket": "bucket"}
PIPELINES = {"weather_iot": {"streams": {"iot_firehose": "aws-datalake-platform-iot-firehose-dev"}}}
RECORDS = {
    f"{prefix}{name}": Part("Athena", 1)
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
                {"ParameterName": "LambdaArn", "ParameterValue": "arn:aws:lambda:x:0:function:check-dev:$LATEST"},
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
    platform = answering(get_job={"Job": {"DefaultArguments": arguments}})
    assert flow.job_ends(platform, "any") == (("raw_weather",), ("curated_weather",))


def test_a_hop_of_which_nothing_can_be_read_still_has_a_place_of_its_own() -> None:
    gone = tuple(Hop(name, (), ("not readable",), bad=True, failure="gone") for name in ("one", "two"))
    drawn = flow.flow(Hops(gone, (), (), {}), {}, RECORDS, {})
    for picture in (layout.wide(drawn), layout.narrow(drawn)):
        places = {box.node.name: (box.x, box.y) for box in picture.boxes}
        assert len(set(places.values())) == len(places)
        assert {"one", "two"} <= set(places)


def test_what_feeds_a_dataset_stands_in_its_lane() -> None:
    hops = Hops(
        (Hop("ingest", ("raw_weather",), ()),), (), (Hop("job", ("curated_weather",), ()),), {"job": ("raw_weather",)}
    )
    nodes = {node.name: node for node in flow.flow(hops, {}, RECORDS, {}).nodes}
    lane = nodes["curated_weather"].lanes
    assert [nodes[name].lanes for name in ("ingest", "raw_weather", "job", "quarantine_curated_weather")] == [lane] * 4


def test_arrows_lead_only_to_what_is_drawn() -> None:
    hops = Hops((Hop("ingest", ("raw_weather", "elsewhere"), ()),), (), (), {})
    drawn = flow.flow(hops, {}, RECORDS, {})
    assert ("ingest", "raw_weather") in drawn.edges
    assert not any("elsewhere" in edge for edge in drawn.edges)


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 B"), (999, "999 B"), (2068, "2.1 kB"), (222535, "223 kB"), (48_200_000, "48.2 MB")]
)
def test_sizes_are_said_as_people_read_them(number: int, said: str) -> None:
    assert flow.size(number) == said
