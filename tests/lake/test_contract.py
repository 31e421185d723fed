"""The loader: what a contract says, and what it refuses."""

from pathlib import Path

import pytest
import yaml

from lake.contract import model
from lake.core.errors import ContractError


def written(folder: Path, **changes: object) -> Path:
    document = yaml.safe_load((model.folder() / "weather_iot" / "curated_weather.yaml").read_text())
    document.update(changes)
    path = folder / "changed.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


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
