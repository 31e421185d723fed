"""What a changed contract breaks, and for whom."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from lake.contract import compatibility, model
from lake.contract.model import Column, Contract

NAMES = ("raw_iot_sensors", "curated_sensor_readings", "raw_weather", "curated_weather", "pipeline_runs", "quarantine")
ALL = {name: model.load(name) for name in NAMES}
RAW, CURATED = ALL["raw_iot_sensors"], ALL["curated_sensor_readings"]


def changed(owner: Contract, name: str, **fields: object) -> Contract:
    """The contract with one column changed."""
    columns = [replace(column, **fields) if column.name == name else column for column in owner.columns]  # type: ignore[arg-type]
    return replace(owner, columns=tuple(columns))


def without(owner: Contract, name: str) -> Contract:
    return replace(owner, columns=tuple(column for column in owner.columns if column.name != name))


def with_new(owner: Contract, required: bool) -> Contract:
    return replace(owner, columns=(*owner.columns, Column("pm10", "double", "Dust.", required=required)))


def broken(new: Contract) -> list[str]:
    """The changes that are refused when this contract takes the place of the deployed one."""
    return [
        change
        for breaking in compatibility.breaking_changes(ALL, {**ALL, new.name: new})
        for change in breaking.changes
    ]


def test_what_is_deployed_breaks_nothing() -> None:
    assert compatibility.breaking_changes(ALL, ALL) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda: without(CURATED, "aqi"), "column aqi is gone"),
        (lambda: changed(CURATED, "aqi", physical_type="string"), "column aqi int becomes string"),
        (lambda: changed(CURATED, "temperature_c", physical_type="float"), "column temperature_c double becomes float"),
        (lambda: changed(CURATED, "city", required=False), "column city may be null"),
        (lambda: changed(CURATED, "city", encrypted_name="city_hash"), "column city is stored as city_hash"),
        (lambda: changed(CURATED, "timestamp", key_position=None), "key sensor_id, timestamp becomes sensor_id"),
        (lambda: changed(CURATED, "date", partition_position=None), "partitions date becomes none"),
        (lambda: replace(CURATED, path="curated/readings"), "path curated/sensor-readings becomes curated/readings"),
        (
            lambda: replace(CURATED, publish_granularity={"date": "timestamp"}),
            "its publish granularity is {'date': 'timestamp'} instead of {'date': 'timestamp', 'hour': 'timestamp'}",
        ),
        (lambda: changed(RAW, "aqi", required=True), "column aqi becomes required"),
        (lambda: with_new(RAW, required=True), "column pm10 is new and required"),
        (lambda: without(RAW, "aqi"), "column aqi is gone"),
    ],
)
def test_a_change_that_breaks_somebody_is_refused(change: Callable[[], Contract], says: str) -> None:
    assert broken(change()) == [says]


@pytest.mark.parametrize(
    "change",
    [
        lambda: with_new(CURATED, required=True),
        lambda: with_new(RAW, required=False),
        lambda: with_new(ALL["pipeline_runs"], required=True),
        lambda: changed(CURATED, "aqi", physical_type="bigint"),
        lambda: changed(CURATED, "aqi", required=True),
        lambda: replace(CURATED, purpose="Something else."),
        lambda: replace(without(CURATED, "aqi"), version="2.0.0"),
    ],
)
def test_a_change_that_breaks_nobody_or_is_announced_by_its_version_passes(change: Callable[[], Contract]) -> None:
    assert broken(change()) == []


def test_the_refusal_names_who_is_broken_and_what_to_do() -> None:
    (breaking,) = compatibility.breaking_changes(ALL, {**ALL, RAW.name: without(RAW, "aqi")})
    assert breaking.summary() == (
        "raw_iot_sensors 1.0.0 -> 1.0.0: column aqi is gone. This breaks: curated_sensor_readings. "
        "Undo the change, or tell them and give the contract version 2.0.0."
    )
    assert compatibility.consumers(CURATED, ALL) == ("analysts in the Athena workgroup",)


def test_a_dataset_that_goes_is_refused() -> None:
    (breaking,) = compatibility.breaking_changes(
        ALL, {name: kept for name, kept in ALL.items() if name != CURATED.name}
    )
    assert (breaking.dataset, breaking.changes, breaking.after) == (CURATED.name, ("the dataset is gone",), "none")


def test_a_dataset_that_was_deployed_as_retired_may_go_and_any_other_says_how() -> None:
    left = {name: loaded for name, loaded in ALL.items() if name != CURATED.name}
    retired = {**ALL, CURATED.name: replace(CURATED, status="retired")}
    assert compatibility.breaking_changes(ALL, retired) == compatibility.breaking_changes(retired, left) == []
    (breaking,) = compatibility.breaking_changes(ALL, left)
    assert breaking.summary().endswith("Undo the change, or tell them and deploy it with status retired first.")
