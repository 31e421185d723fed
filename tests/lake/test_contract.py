"""The loader: what a contract says, and what it refuses."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from lake.contract import model
from lake.contract.model import Column
from lake.core.errors import ContractError


def written(folder: Path, **changes: object) -> Path:
    document = yaml.safe_load((model.folder() / "weather_iot" / "curated_weather.yaml").read_text())
    document.update(changes)
    path = folder / "changed.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


DERIVED = model.folder() / "weather_iot" / "curated_city_hours.yaml"
KINDS = {
    "raw_weather": ((), False),
    "curated_weather": (("raw_weather",), True),
    "curated_city_hours": (("curated_weather", "curated_sensor_readings"), False),
    "pipeline_runs": ((), False),
}


def with_first_column(folder: Path, **changes: object) -> Path:
    document = yaml.safe_load((model.folder() / "weather_iot" / "curated_weather.yaml").read_text())
    document["schema"][0]["properties"][0].update(changes)
    return written(folder, schema=document["schema"])


@pytest.mark.parametrize("path", model.files(), ids=lambda path: path.stem)
def test_every_contract_loads_and_is_named_like_its_file(path: Path) -> None:
    loaded = model.read(path)
    assert loaded.name == path.stem
    assert loaded.purpose.startswith("One row is ")
    assert loaded.owner
    assert all(column.description for column in loaded.columns)


def test_a_pseudonymised_column_is_stored_under_its_encrypted_name() -> None:
    readings = model.load("curated_sensor_readings")
    assert "sensor_id_hash" in [column.stored_name for column in readings.stored]
    assert "sensor_id" not in [column.stored_name for column in readings.stored]
    assert "`sensor_id_hash` string" in readings.ddl


@pytest.mark.parametrize("key", [True, False])
def test_a_pseudonymised_column_of_the_key_is_required(tmp_path: Path, key: bool) -> None:
    position = {"primaryKeyPosition": 1} if key else {"primaryKeyPosition": None}
    changes = {"encryptedName": "city_hash", "required": False, "primaryKey": key, **position}
    if not key:
        assert model.read(with_first_column(tmp_path, **changes)).encrypted
        return
    with pytest.raises(
        ContractError, match=r"changed\.yaml: city: a key column with an encryptedName must be required"
    ):
        model.read(with_first_column(tmp_path, **changes))


def test_key_partition_and_publish_granularity_are_read() -> None:
    readings = model.load("curated_sensor_readings")
    assert [column.name for column in readings.key] == ["sensor_id", "timestamp"]
    assert [column.name for column in readings.partitions] == ["date"]
    assert readings.publish_granularity == {"date": "timestamp", "hour": "timestamp"}


def test_the_quarantine_table_has_the_columns_of_the_template_and_a_folder_of_its_own() -> None:
    quarantine = model.load("curated_sensor_readings").quarantine()
    assert (quarantine.name, quarantine.path) == ("quarantine_curated_sensor_readings", "quarantine/sensor-readings")
    assert quarantine.columns == model.load("quarantine").columns


def test_an_unknown_word_is_refused_with_file_place_and_likely_word(tmp_path: Path) -> None:
    with pytest.raises(ContractError) as refused:
        model.read(with_first_column(tmp_path, requird=True))
    assert str(refused.value) == (
        "changed.yaml: schema[0].properties[0] (city): 'requird' is not a word here; did you mean 'required'?"
    )


@pytest.mark.parametrize(
    ("spelled", "likely"),
    [("integer", "int"), ("bigintt", "bigint"), ("datetime", "date"), ("varchar(10)", "known are")],
)
def test_a_type_that_glue_and_spark_do_not_share_is_refused(tmp_path: Path, spelled: str, likely: str) -> None:
    with pytest.raises(ContractError, match=r"physicalType") as refused:
        model.read(with_first_column(tmp_path, physicalType=spelled))
    assert f"'{spelled}'" in str(refused.value)
    assert likely in str(refused.value)


@pytest.mark.parametrize("place", ["logicalTypeOptions", "quality"])
def test_an_unknown_rule_word_is_refused(tmp_path: Path, place: str) -> None:
    wrong: object = {"maximun": 3} if place == "logicalTypeOptions" else [{"kind": "library"}]
    with pytest.raises(ContractError, match=f"{place}"):
        model.read(with_first_column(tmp_path, **{place: wrong}))


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("raw_weather", 26 * 3600),
        ("raw_iot_sensors", 15 * 60),
        ("curated_weather", 2 * 3600),
        ("curated_sensor_readings", 2 * 3600),
        ("pipeline_runs", None),
    ],
)
def test_how_old_the_newest_data_may_be_is_read_in_seconds(name: str, seconds: int | None) -> None:
    assert model.load(name).freshness_seconds == seconds


def test_an_age_in_a_unit_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    wrong = [{"property": "retention", "value": 1}, {"property": "freshness", "value": 2, "unit": "fortnights"}]
    with pytest.raises(
        ContractError, match=r"slaProperties\[1\]\.unit: 'fortnights' is not a word here; known are h, m"
    ):
        model.read(written(tmp_path, slaProperties=wrong))


def test_a_publish_granularity_that_does_not_follow_from_the_key_is_refused(tmp_path: Path) -> None:
    wrong = [
        {"property": "example", "value": "SELECT 1"},
        {"property": "publishGranularity", "value": {"date": "arrived_at"}},
    ]
    with pytest.raises(ContractError, match=r"publishGranularity.date: 'arrived_at' is not in the key"):
        model.read(written(tmp_path, customProperties=wrong))


def test_a_dataset_is_row_by_row_or_derived_or_neither() -> None:
    kinds = {name: (model.load(name).made_from, model.load(name).has_quarantine) for name in KINDS}
    assert kinds == KINDS


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"source": "raw_weather"}, "made row by row from its source, or derived from its inputs"),
        ({"inputs": "curated_weather"}, "customProperties: inputs is a list of names"),
        ({"inputs": None, "neighbouringDays": 1}, "only a derived dataset, which has inputs, has neighbouring days"),
        ({"publishGranularity": None}, "publishGranularity.date is missing"),
        ({"neighbouringDays": -1}, "neighbouringDays: -1 is less than 0"),
        ({"neighbouringDays": "one"}, "a number is expected: invalid literal"),
    ],
)
def test_properties_that_contradict_each_other_are_refused(changed: dict[str, Any], said: str) -> None:
    document = yaml.safe_load(DERIVED.read_text(encoding="utf-8"))
    custom = {entry["property"]: entry["value"] for entry in document["customProperties"]} | changed
    kept = {name: value for name, value in custom.items() if value is not None}
    document["customProperties"] = [{"property": name, "value": value} for name, value in kept.items()]
    with pytest.raises(ContractError, match=said):
        model.parse(document, "changed.yaml")


def test_a_derived_dataset_without_the_run_or_with_a_token_of_its_own_is_refused() -> None:
    document = yaml.safe_load(DERIVED.read_text(encoding="utf-8"))
    properties = document["schema"][0]["properties"]
    properties[0]["encryptedName"] = "city_hash"
    with pytest.raises(ContractError, match="city: a derived dataset encrypts nothing"):
        model.parse(document, "changed.yaml")
    properties[:] = [column for column in properties if column["name"] != "run_id"]
    with pytest.raises(ContractError, match="run_id is missing; every run writes it"):
        model.parse(document, "changed.yaml")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"inputs": ("raw_weather",)}, "raw_weather is no input: nothing is derived from what arrives"),
        ({"inputs": ("pipeline_runs",)}, "pipeline_runs is no input"),
        ({"inputs": ("curated_wether",)}, "contracts are named 'curated_wether'; there are"),
        ({"columns": (Column("sensor_id_hash", "string", ""),)}, "a token of curated_sensor_readings, and a derived"),
    ],
)
def test_inputs_that_nothing_can_be_derived_from_are_refused(changed: dict[str, Any], said: str) -> None:
    model.check_inputs(model.load("curated_city_hours"))
    with pytest.raises(ContractError, match=said):
        model.check_inputs(replace(model.load("curated_city_hours"), **changed))


def test_a_dataset_that_rejects_nothing_has_no_quarantine() -> None:
    with pytest.raises(ContractError, match="no quarantine: it is derived from curated_weather, curated_sensor"):
        model.load("curated_city_hours").quarantine()
    with pytest.raises(ContractError, match="no quarantine: it keeps what arrives"):
        model.load("raw_weather").quarantine()


def test_what_a_dataset_is_made_from_exists_and_inputs_have_days() -> None:
    loaded = [model.read(path) for path in model.files()]
    inputs = {name: model.load(name) for each in loaded for name in each.made_from}
    assert len(inputs) > 3
    assert [name for each in loaded for name in each.inputs if "date" not in inputs[name].publish_granularity] == []


def test_a_column_that_stands_there_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="timestamp stands there twice"):
        model.read(with_first_column(tmp_path, name="timestamp"))


@pytest.mark.parametrize(
    ("quarantined", "received", "expected"), [(10, 20, True), (11, 20, False), (200, 1000, True), (201, 1000, False)]
)
def test_tolerance_is_a_number_of_records_or_a_ratio_if_that_is_more(
    quarantined: int, received: int, expected: bool
) -> None:
    assert model.load("curated_weather").tolerates(quarantined, received) is expected


def test_a_dataset_without_a_contract_is_an_error_that_names_those_that_exist() -> None:
    with pytest.raises(ContractError, match="raw_weather"):
        model.load("raw_wether")
