"""Keyed, versioned pseudonyms and sealed payloads.

Token: ``v<k>:<hex>`` with hex = HMAC-SHA-256(subkey, value), the subkey by HKDF-SHA-256 from master key k with the info
dataset/column/version.
The version is chosen by the record's event time, so that late data and replays get the token they had before.
"""

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from lake.contract import Contract

_BLOCK_BYTES = 64
_FAR = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class KeyVersion:
    """One version of the master key, in force for event times from ``valid_from`` until the next version's."""

    version: int
    valid_from: datetime
    valid_until: datetime
    key: bytes = field(repr=False)


def key_versions(secret: str) -> tuple[KeyVersion, ...]:
    """The versions in a secret ``{"versions": [{"version", "valid_from", "key"}]}``; raises ValueError when none."""
    entries = sorted(json.loads(secret)["versions"], key=lambda entry: entry["valid_from"])
    if not entries:
        raise ValueError("the secret holds no version of the pseudonym key")
    starts = [datetime.fromisoformat(entry["valid_from"]) for entry in entries]
    return tuple(
        KeyVersion(int(entry["version"]), start, end, entry["key"].encode())
        for entry, start, end in zip(entries, starts, [*starts[1:], _FAR], strict=True)
    )


def subkey(master: bytes, info: str, length: int = 32) -> bytes:
    """HKDF-SHA-256 (RFC 5869) of one block, without salt."""
    extracted = hmac.digest(bytes(hashlib.sha256().digest_size), master, "sha256")
    return hmac.digest(extracted, info.encode() + b"\x01", "sha256")[:length]


def token(version: KeyVersion, dataset: str, column: str, value: str) -> str:
    """The token of one value, as the Spark expressions below compute it."""
    key = subkey(version.key, f"{dataset}/{column}/{version.version}")
    return f"v{version.version}:{hmac.digest(key, value.encode(), 'sha256').hex()}"


def with_tokens(frame: DataFrame, contract: Contract, versions: tuple[KeyVersion, ...], event_time: str) -> DataFrame:
    """Replace each encrypted column by its token. A null stays null."""
    if not contract.encrypted:
        return frame
    keyed = _with_keys(frame, _pads(frame.sparkSession, contract, versions), event_time)
    for column in contract.encrypted:
        keyed = keyed.withColumn(column.encrypted_name or column.name, _token(column.name))
    return keyed.drop(*(column.name for column in contract.encrypted))


def with_sealed_payload(
    frame: DataFrame, contract: Contract, versions: tuple[KeyVersion, ...], event_time: str
) -> DataFrame:
    """Add ``sealed_payload`` (AES-256-GCM of ``payload``, base64) and ``key_version``."""
    rows = [
        (
            key.version,
            key.valid_from,
            key.valid_until,
            bytearray(seal_of(contract.name, versions, key.version)),
        )
        for key in versions
    ]
    keys = _hidden(
        frame.sparkSession, rows, "key_version int, valid_from timestamp, valid_until timestamp, seal binary"
    )
    sealed = F.base64(F.aes_encrypt("payload", "seal", F.lit("GCM")))
    return _with_keys(frame, keys, event_time).withColumn("sealed_payload", sealed)


def opened(
    spark: SparkSession, contract: Contract, versions: tuple[KeyVersion, ...], key_version: int, sealed_payload: str
) -> bytes:
    """What ``with_sealed_payload`` has sealed, with the key of that version; raises KeyError when there is none."""
    seal = seal_of(contract.name, versions, key_version)
    row = _hidden(spark, [(bytearray(seal), sealed_payload)], "seal binary, sealed string")
    clear = row.select(F.aes_decrypt(F.unbase64("sealed"), "seal", F.lit("GCM")).alias("payload"))
    return bytes(clear.collect()[0]["payload"])


def seal_of(dataset: str, versions: tuple[KeyVersion, ...], key_version: int) -> bytes:
    """The key that seals a dataset's rejected records under a version; raises KeyError when there is none."""
    masters = {key.version: key.key for key in versions}
    return subkey(masters[key_version], f"{dataset}/seal/{key_version}")


def _with_keys(frame: DataFrame, keys: DataFrame, event_time: str) -> DataFrame:
    in_force = (F.col(event_time) >= F.col("valid_from")) & (F.col(event_time) < F.col("valid_until"))
    return frame.join(F.broadcast(keys), on=in_force, how="left")


def _pads(spark: SparkSession, contract: Contract, versions: tuple[KeyVersion, ...]) -> DataFrame:
    """One row a version: HMAC's inner and outer pad of each encrypted column's subkey."""
    names = [column.name for column in contract.encrypted]
    rows = []
    for key in versions:
        subkeys = [
            subkey(key.key, f"{contract.name}/{name}/{key.version}").ljust(_BLOCK_BYTES, b"\0") for name in names
        ]
        pads = [bytearray(byte ^ pad for byte in subkey) for subkey in subkeys for pad in (0x36, 0x5C)]
        rows.append((key.version, key.valid_from, key.valid_until, *pads))
    columns = ", ".join(f"`{name}_inner` binary, `{name}_outer` binary" for name in names)
    schema = f"key_version int, valid_from timestamp, valid_until timestamp, {columns}"
    return _hidden(spark, rows, schema)


def _hidden(spark: SparkSession, rows: Sequence[tuple[object, ...]], schema: str) -> DataFrame:
    """A frame from an RDD: a literal or a local relation would show the key in the plan, and so in event logs."""
    return spark.createDataFrame(spark.sparkContext.parallelize(rows, 1), schema)


def _token(name: str) -> Column:
    """HMAC (RFC 2104) from two native digests: a Python function would cost six times as much."""
    inner = F.unhex(F.sha2(F.concat(F.col(f"{name}_inner"), F.col(name).cast("binary")), 256))
    return F.concat(F.lit("v"), F.col("key_version"), F.lit(":"), F.sha2(F.concat(F.col(f"{name}_outer"), inner), 256))
