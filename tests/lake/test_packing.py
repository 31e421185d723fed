"""Valid rows are packed by partition file with their tokens; a rejected one has the key that encrypts it."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from glue_jobs.weather_iot import transform
from lake.contract import model
from lake.contract.model import Contract
from lake.pseudonyms import arrow, keys
from lake.records import typed, validation
from lake.tables.partition_files import file_names, packing, valid_rows
from tests.lake.test_staging import BODIES, FIRST, KEYS, SECOND
from tests.place import MESSAGES, READINGS

MOMENT = pa.timestamp("us", "UTC")
SECRET = (
    '{"versions": [{"version": 1, "valid_from": "1970-01-01T00:00:00Z", "key": "old"}, '
    '{"version": 2, "valid_from": "2026-11-20T12:00:00Z", "key": "new"}]}'
)
VERSIONS = keys.key_versions(SECRET)


def moments(*found: datetime) -> Any:
    return pa.chunked_array([pa.array(found, MOMENT)])


@pytest.mark.parametrize("name", ["curated_sensor_readings", "curated_weather"])
def test_a_file_has_the_name_that_spark_gives_it(spark: SparkSession, name: str) -> None:
    contract, chance = model.load(name), Random(1)
    start = datetime(1900, 1, 1, tzinfo=UTC)
    at = [
        start + timedelta(seconds=chance.randrange(8_000_000_000), microseconds=chance.randrange(2)) for _ in range(500)
    ]
    at += [datetime(1970, 1, 1, tzinfo=UTC) - timedelta(microseconds=1), datetime(1, 1, 1, 23, tzinfo=UTC)]
    column = contract.publish_granularity["date"]
    frame = spark.createDataFrame(
        [(number, moment) for number, moment in enumerate(at[:-1])], f"n int, `{column}` timestamp"
    )
    expected = [
        row["file"] for row in frame.select("n", file_names.file_of(contract).alias("file")).orderBy("n").collect()
    ]
    names, places = file_names.files_of(contract, pa.table({column: moments(*at)}))
    assert [names[place] for place in places][:-1] == expected
    assert names[places[-1]] == ("0001-01-01_h23" if "hour" in contract.publish_granularity else "0001-01-01_day")
    assert len(set(names)) == len(names)


def test_a_token_is_that_of_its_version_and_made_once_for_each_value(monkeypatch: pytest.MonkeyPatch) -> None:
    noon = datetime(2026, 11, 20, 12, tzinfo=UTC)
    values = pa.chunked_array([["a", "b", "a"], [None, "a", "a", "caf\u00e9"]])
    at = moments(noon, noon, noon - timedelta(microseconds=1), noon, datetime(1969, 1, 1, tzinfo=UTC), noon, noon)
    made: list[str] = []

    def token_under(key: bytes, version: int, word: str) -> str:
        made.append(word)
        return keys.token_under(key, version, word)

    monkeypatch.setattr(arrow, "token_under", token_under)
    found = arrow.tokens(values, at, VERSIONS)
    old, new = (
        {word: keys.token_under(each.key, each.version, word) for word in ("a", "b", "caf\u00e9")} for each in VERSIONS
    )
    assert found.to_pylist() == [new["a"], new["b"], old["a"], None, None, new["a"], new["caf\u00e9"]]
    assert sorted(made) == ["a", "a", "b", "caf\u00e9"]
    assert arrow.tokens(values, at, ()).to_pylist() == [None] * 7


def test_what_is_packed_comes_out_as_it_was_without_dictionaries() -> None:
    table = pa.table({"a": pa.array(["x", None, "x"]).dictionary_encode(), "b": [[1], [], None], "c": [1.5, None, 2.0]})
    bodies = [packing.packed(table), packing.packed(table.slice(1, 1)), packing.packed(table.slice(0, 0))]
    found = packing.unpacked(pa.array(bodies, pa.binary()))
    assert found.schema.types[0] == pa.string()
    assert found.to_pylist() == [*table.to_pylist(), table.to_pylist()[1]]


def test_rows_are_packed_a_piece_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = [pa.RecordBatch.from_pydict({"a": [number] * 10}) for number in range(10)]
    assert [piece.num_rows for piece in packing.pieces(batches)] == [100]
    monkeypatch.setattr(packing, "ROWS", 25)
    assert [piece.num_rows for piece in packing.pieces(batches)] == [30, 30, 30, 10]
    monkeypatch.setattr(packing, "BYTES", 160)
    assert [piece.num_rows for piece in packing.pieces(batches)] == [20] * 5
    assert list(packing.pieces([])) == []


def place(row: dict[str, Any]) -> tuple[str, int]:
    return row["source_object"], row["source_line"]


def naive(row: dict[str, Any]) -> dict[str, Any]:
    """A row as Spark collects it."""
    return {name: each.replace(tzinfo=None) if isinstance(each, datetime) else each for name, each in row.items()}


def judged(spark: SparkSession, target: Contract = READINGS) -> Any:
    raw = typed.of_records(spark, MESSAGES, target, [FIRST, SECOND], lambda stored: BODIES[stored.key])
    validated = validation.validated(raw, target, transform.sensor_readings, KEYS)
    return validated, validation.judged(validated, target, KEYS, KEYS, "r")


def test_judged_rows_are_those_that_are_accepted_and_those_that_are_rejected(spark: SparkSession) -> None:
    validated, units = judged(spark)
    rows = units.collect()
    packed = packing.unpacked(pa.array([row[READINGS.name] for row in rows if row[READINGS.name]], pa.binary()))
    columns = [column.stored_name for column in READINGS.stored]
    assert packed.column_names == columns
    accepted = validation.accepted(validated, READINGS, KEYS, "r").select(*columns, "partition_file").collect()
    assert sorted(map(naive, packed.to_pylist()), key=place) == sorted(
        ({name: row[name] for name in columns} for row in accepted), key=place
    )
    assert {row["unit"] for row in rows if row[READINGS.name]} == {
        f"{READINGS.name}/{row['partition_file']}" for row in accepted
    }
    quarantine = READINGS.quarantine()
    bad = [row[quarantine.name].asDict() for row in rows if row[READINGS.name] is None]
    rejected = [row.asDict() for row in validation.rejected(validated, READINGS, KEYS, "r").collect()]
    assert len(bad) == len(rejected) == 2
    for found in (*bad, *rejected):
        assert len(found.pop("encrypted_payload")) > 30
    assert {row["unit"] for row in rows if row[READINGS.name] is None} == {
        f"{quarantine.name}/{found['partition_file']}" for found in rejected
    }
    for found in rejected:
        del found["partition_file"]
    assert sorted(bad, key=place) == sorted(rejected, key=place)


def test_no_key_is_in_the_plan_of_judged_rows(spark: SparkSession, capfd: pytest.CaptureFixture[str]) -> None:
    _, units = judged(spark)
    units.explain(mode="extended")
    plan = capfd.readouterr().out.lower()
    assert "mapinarrow" in plan
    secrets = [key.key for key in KEYS]
    secrets += [keys.column_key(key, READINGS.name, "sensor_id") for key in KEYS]
    secrets += [keys.encryption_key_of(READINGS.name, KEYS, key.version) for key in KEYS]
    assert not [secret for secret in secrets if secret.hex() in plan or secret.decode("latin-1").lower() in plan]


def test_a_piece_in_which_all_are_rejected_or_none_is(spark: SparkSession) -> None:
    """A record that arrived before there was a key has none that encrypts it."""
    columns = valid_rows.columns(READINGS)
    at = datetime(2026, 11, 20, 9, tzinfo=UTC)
    values = {"string": "x", "double": 1.0, "int": 1, "bigint": 1, "timestamp": at}
    kinds = {
        "string": pa.string(),
        "double": pa.float64(),
        "int": pa.int32(),
        "bigint": pa.int64(),
        "timestamp": MOMENT,
    }
    arrays = [pa.array([values[column.physical_type]] * 2, kinds[column.physical_type]) for column in columns]
    names = [str(place) for place in range(len(arrays) + 2)]
    apart = valid_rows.setting_apart(READINGS, VERSIONS, VERSIONS[1:], "r")
    for reasons in ([None, None], [["a"], ["b"]]):
        said = [pa.array(reasons, pa.list_(pa.string())), pa.array([None, b"{}"], pa.binary())]
        found = pa.Table.from_batches(list(apart([pa.RecordBatch.from_arrays([*said, *arrays], names=names)])))
        assert found.num_rows == (1 if reasons[0] is None else 2)
        assert found.column("encryption_key").null_count == found.column("key_version").null_count == found.num_rows
