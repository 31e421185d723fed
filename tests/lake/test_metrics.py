"""The metrics of a run: complete however it ends, and never the reason why it fails."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lake.contract import model
from lake.core.counts import Counts
from lake.core.errors import CountsNotReconciled, ToleranceExceeded
from lake.runs.metrics import Metrics
from tests.metric_catalogue import catalogue

TARGET = model.load("curated_weather")
START = datetime(2026, 11, 20, 12, tzinfo=UTC)
DATASET, PIPELINE = {"Dataset": "curated_weather"}, {"Pipeline": "weather_iot"}


class CloudWatch:
    """Keeps what is put, or refuses it."""

    def __init__(self, refuses: bool = False) -> None:
        self.namespaces: set[str] = set()
        self.data: list[dict[str, Any]] = []
        self._refuses = refuses

    def put_metric_data(self, Namespace: str, MetricData: list[dict[str, Any]]) -> None:  # noqa: N803 - as boto3 has it
        if self._refuses:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "not you"}}, "PutMetricData")
        self.namespaces.add(Namespace)
        self.data += MetricData

    def values(self, place: dict[str, str]) -> dict[str, tuple[float, str]]:
        """Name to value and unit of what was put for one place."""
        dimensions = [{"Name": name, "Value": value} for name, value in {"Environment": "test", **place}.items()]
        found = [datum for datum in self.data if datum["Dimensions"] == dimensions]
        assert len({datum["MetricName"] for datum in found}) == len(found)
        return {datum["MetricName"]: (datum["Value"], datum["Unit"]) for datum in found}


def passing(seconds: int) -> Callable[[], datetime]:
    """A clock on which that time passes between two looks."""
    moments = iter(START + number * timedelta(seconds=seconds) for number in range(10))
    return lambda: next(moments)


def metrics(cloudwatch: CloudWatch) -> Metrics:
    return Metrics(cloudwatch, "lake", "test", passing(90))


@pytest.mark.parametrize("place", [DATASET, PIPELINE], ids=["dataset", "pipeline"])
def test_a_run_that_succeeds_says_what_became_of_every_record(place: dict[str, str]) -> None:
    cloudwatch = CloudWatch()
    with metrics(cloudwatch).of_run(TARGET) as run:
        run.counts = Counts(10, 4, 3, 1, 2, {"range:temperature_c": 2})
    assert cloudwatch.namespaces == {"lake"}
    assert cloudwatch.values(place) == {
        "RecordsReceived": (10, "Count"), "RecordsNew": (4, "Count"), "RecordsReplaced": (3, "Count"),
        "RecordsDuplicate": (1, "Count"), "RecordsQuarantined": (2, "Count"), "QuarantineRatio": (0.2, "None"),
        "RecordsUnreconciled": (0, "Count"), "SchemaDrift": (0, "Count"),
        "RunsSucceeded": (1, "Count"), "RunsFailed": (0, "Count"), "RunsSkipped": (0, "Count"),
        "RunDuration": (90, "Seconds"),
    }  # fmt: skip


@pytest.mark.parametrize(("place", "besides"), [(DATASET, {"Freshness"}), (PIPELINE, set())])
def test_the_catalogue_of_metrics_lists_what_a_run_puts(place: dict[str, str], besides: set[str]) -> None:
    cloudwatch = CloudWatch()
    with metrics(cloudwatch).of_run(TARGET) as run:
        run.counts = Counts(1, 1, 0, 0, 0, {})
    listed = {name for space, name, dimensions in catalogue("lake") if dimensions == {"Environment", *place}}
    assert listed == cloudwatch.values(place).keys() | besides


def test_a_run_without_anything_new_is_a_run_without_a_ratio() -> None:
    cloudwatch = CloudWatch()
    with metrics(cloudwatch).of_run(TARGET):
        pass
    values = cloudwatch.values(DATASET)
    assert (values["RecordsReceived"], values["RunsSucceeded"]) == ((0, "Count"), (1, "Count"))
    assert "QuarantineRatio" not in values


def test_a_run_that_stops_at_the_tolerance_says_how_much_was_bad_and_has_lost_nothing() -> None:
    cloudwatch = CloudWatch()
    with pytest.raises(ToleranceExceeded), metrics(cloudwatch).of_run(TARGET):
        raise ToleranceExceeded("too much", Counts(12, 0, 0, 0, 11, {}))
    values = cloudwatch.values(DATASET)
    assert values["QuarantineRatio"][0] == pytest.approx(11 / 12)
    assert (values["RecordsUnreconciled"][0], values["RunsSucceeded"][0], values["RunsFailed"][0]) == (0, 0, 1)


def test_records_that_are_not_accounted_for_show_although_the_run_fails() -> None:
    for counts in (Counts(12, 5, 0, 0, 0, {}), Counts(5, 12, 0, 0, 0, {})):
        cloudwatch = CloudWatch()
        with pytest.raises(CountsNotReconciled), metrics(cloudwatch).of_run(TARGET):
            raise CountsNotReconciled("not all", counts)
        assert cloudwatch.values(PIPELINE)["RecordsUnreconciled"] == (7, "Count")


def test_any_other_error_is_a_failed_run() -> None:
    cloudwatch = CloudWatch()
    with pytest.raises(ZeroDivisionError), metrics(cloudwatch).of_run(TARGET):
        raise ZeroDivisionError
    assert cloudwatch.values(DATASET)["RunsFailed"] == (1, "Count")


def test_a_run_that_did_nothing_because_the_dataset_is_held_did_not_succeed() -> None:
    cloudwatch = CloudWatch()
    with metrics(cloudwatch).of_run(TARGET) as run:
        run.outcome = "skipped"
    values = cloudwatch.values(DATASET)
    assert [values[name][0] for name in ("RunsSucceeded", "RunsFailed", "RunsSkipped")] == [0, 0, 1]


def test_a_run_that_another_one_finished_is_counted_without_a_duration() -> None:
    cloudwatch = CloudWatch()
    metrics(cloudwatch).finished(TARGET, Counts(1, 1, 0, 0, 0, {}))
    values = cloudwatch.values(DATASET)
    assert (values["RecordsNew"], values["RunsSucceeded"]) == ((1, "Count"), (1, "Count"))
    assert "RunDuration" not in values


def test_metrics_that_cannot_be_put_are_an_error_in_the_log_and_not_of_the_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with metrics(CloudWatch(refuses=True)).of_run(TARGET) as run:
        run.counts = Counts(1, 1, 0, 0, 0, {})
    (said,) = caplog.records
    assert (said.levelno, said.getMessage()) == (
        logging.ERROR,
        "curated_weather: the metrics of the run could not be put",
    )


def test_the_error_of_the_run_is_not_hidden_by_that_of_its_metrics() -> None:
    with pytest.raises(ToleranceExceeded), metrics(CloudWatch(refuses=True)).of_run(TARGET):
        raise ToleranceExceeded("too much")


def test_derived_rows_are_no_records_of_the_pipeline() -> None:
    cloudwatch = CloudWatch()
    with metrics(cloudwatch).of_run(model.load("curated_city_hours")) as run:
        run.counts = Counts(10, 10, 0, 0, 0, {})
    assert cloudwatch.values({"Dataset": "curated_city_hours"})["RecordsReceived"] == (10, "Count")
    of_pipeline = cloudwatch.values(PIPELINE)
    assert of_pipeline["RunsSucceeded"] == (1, "Count")
    assert not any(name.startswith(("Records", "Quarantine", "Schema")) for name in of_pipeline)
