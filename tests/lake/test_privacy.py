"""Pseudonyms: keyed, versioned by event time, the same in Spark and in Python, never in a plan."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pyspark.sql import DataFrame, SparkSession

from lake.contract import model
from lake.pseudonyms import keys
from lake.pseudonyms import spark as privacy

READINGS = model.load("curated_sensor_readings")
OLD, NEW = "first master key of the tests", "second master key of the tests"
SECRET = json.dumps(
    {
        "versions": [
            {"version": 2, "valid_from": "2026-11-20T12:00:00Z", "key": NEW},
            {"version": 1, "valid_from": "1970-01-01T00:00:00Z", "key": OLD},
        ]
    }
)
VERSIONS = keys.key_versions(SECRET)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def messages(spark: SparkSession) -> DataFrame:
    rows = [
        ("sensor-a", datetime(2026, 11, 20, 11, 59, tzinfo=UTC)),
        ("sensor-a", datetime(2026, 11, 20, 12, 0, tzinfo=UTC)),
        ("caf\u00e9" * 30, datetime(2026, 11, 20, 12, 0, tzinfo=UTC)),
        (None, datetime(2026, 11, 20, 12, 0, tzinfo=UTC)),
        ("before there were keys", datetime(1969, 12, 31, tzinfo=UTC)),
    ]
    return spark.createDataFrame(rows, "sensor_id string, timestamp timestamp")


def test_subkeys_are_hkdf_as_the_library_computes_it() -> None:
    expected = HKDF(hashes.SHA256(), 32, None, b"dataset/column/1").derive(b"master")
    assert keys.subkey(b"master", "dataset/column/1") == expected


def test_a_token_is_the_hmac_under_the_subkey_of_its_column() -> None:
    key = keys.subkey(OLD.encode(), "readings/sensor_id/1")
    expected = hmac.new(key, b"sensor-a", hashlib.sha256).hexdigest()
    assert keys.token(VERSIONS[0], "readings", "sensor_id", "sensor-a") == f"v1:{expected}"


def test_one_value_has_unrelated_tokens_in_two_columns() -> None:
    tokens = {keys.token(VERSIONS[0], "readings", column, "sensor-a") for column in ("sensor_id", "owner_id")}
    assert len(tokens) == 2


def test_spark_computes_the_same_tokens_and_takes_the_version_of_the_event_time(spark: SparkSession) -> None:
    rows = privacy.with_tokens(messages(spark), READINGS, VERSIONS, "timestamp").orderBy("timestamp", "sensor_id_hash")
    old, new = VERSIONS
    assert rows.count() == 5, "a row whose token nobody can make is not lost"
    assert {row["sensor_id_hash"] for row in rows.collect()} == {
        keys.token(old, READINGS.name, "sensor_id", "sensor-a"),
        keys.token(new, READINGS.name, "sensor_id", "sensor-a"),
        keys.token(new, READINGS.name, "sensor_id", "caf\u00e9" * 30),
        None,
    }
    assert "sensor_id" not in rows.columns


def test_no_key_is_in_the_plan(spark: SparkSession, capfd: pytest.CaptureFixture[str]) -> None:
    rows = privacy.with_tokens(messages(spark), READINGS, VERSIONS, "timestamp")
    encrypted = privacy.with_encrypted_payload(
        messages(spark).withColumnRenamed("sensor_id", "payload"), READINGS, VERSIONS, "timestamp"
    )
    subkeys = [keys.subkey(key.key, f"{READINGS.name}/sensor_id/{key.version}").hex() for key in VERSIONS]
    for frame in (rows, encrypted):
        frame.explain(mode="extended")
        plan = capfd.readouterr().out.lower()
        assert "scan existingrdd" in plan
        assert not [secret for secret in (OLD, NEW, *subkeys) if secret.lower() in plan]


def test_an_encrypted_payload_opens_with_the_key_of_its_version_only(spark: SparkSession) -> None:
    rows = [(bytearray(b'{"sensor_id": "sensor-a"}'), datetime(2026, 11, 20, 13, tzinfo=UTC))]
    frame = spark.createDataFrame(rows, "payload binary, arrived_at timestamp")
    row = privacy.with_encrypted_payload(frame, READINGS, VERSIONS, "arrived_at").collect()[0]
    encrypted = base64.b64decode(row["encrypted_payload"])
    key = keys.subkey(NEW.encode(), f"{READINGS.name}/seal/2")
    assert row["key_version"] == 2
    assert AESGCM(key).decrypt(encrypted[:12], encrypted[12:], None) == b'{"sensor_id": "sensor-a"}'


def test_what_rows_have_encrypted_is_read_with_the_key_of_each_and_is_null_where_we_have_none(
    spark: SparkSession,
) -> None:
    rows = [(bytearray(b"old"), datetime(2026, 11, 20, 11, tzinfo=UTC)), (bytearray(b"new"), NOON)]
    frame = spark.createDataFrame(rows, "payload binary, arrived_at timestamp")
    encrypted = privacy.with_encrypted_payload(frame, READINGS, VERSIONS, "arrived_at").select(
        "key_version", "encrypted_payload"
    )
    strange = encrypted.selectExpr("9 AS key_version", "encrypted_payload").limit(1)
    broken = encrypted.selectExpr(
        "2 AS key_version", "'bm90IHNlYWxlZCBieSBhbnkga2V5IG9mIG91cnM=' AS encrypted_payload"
    ).limit(1)
    read = privacy.with_payload(encrypted.union(strange).union(broken), READINGS, VERSIONS)
    assert read.columns == ["key_version", "encrypted_payload", "payload"]
    found = sorted((row["key_version"], bytes(row["payload"] or b"")) for row in read.collect())
    assert found == [(1, b"old"), (2, b""), (2, b"new"), (9, b"")]


def test_versions_follow_each_other_without_a_gap() -> None:
    assert (VERSIONS[0].version, VERSIONS[0].valid_until) == (1, VERSIONS[1].valid_from)


def test_a_key_does_not_show_when_it_is_printed() -> None:
    assert OLD not in repr(VERSIONS)


def test_a_secret_without_versions_is_an_error() -> None:
    with pytest.raises(ValueError, match="no version"):
        keys.key_versions('{"versions": []}')


def test_versions_are_in_the_order_of_their_time_with_whole_numbers() -> None:
    entries = [
        {"version": 1, "valid_from": "2026-02-01T00:00:00Z", "key": "b"},
        {"version": "2", "valid_from": "2026-01-01T00:00:00Z", "key": "a"},
    ]
    versions = keys.key_versions(json.dumps({"versions": entries}))
    assert [(version.version, version.key) for version in versions] == [(2, b"a"), (1, b"b")]
    assert len(keys.subkey(b"master", "info")) == 32


def test_the_encryption_key_follows_from_dataset_and_version() -> None:
    (version,) = keys.key_versions(
        json.dumps({"versions": [{"version": 7, "valid_from": "1970-01-01T00:00:00Z", "key": "a"}]})
    )
    assert keys.encryption_key_of("readings", (version,), 7) == keys.subkey(b"a", "readings/seal/7")
    with pytest.raises(KeyError):
        keys.encryption_key_of("readings", (version,), 8)
    with pytest.raises(ValueError, match=r"^the secret holds no version of the pseudonym key$"):
        keys.key_versions(json.dumps({"versions": []}))
