"""Tokens and encrypted payloads in DataFrames, with the keys of lake/pseudonyms/keys.py.

The version is chosen by the record's event time, so that late data and replays get the token they had before.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from operator import or_
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]  # it comes without types
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf

from lake.contract.model import Contract
from lake.pseudonyms.keys import KeyVersion, column_key, encryption_key_of, token_under


def with_tokens(frame: DataFrame, contract: Contract, versions: tuple[KeyVersion, ...], event_time: str) -> DataFrame:
    """Replace each encrypted column by its token, under the key version in force at ``event_time``, a column's name.

    A null stays null; so does a value at whose event time no version is in force.
    """
    if not contract.encrypted:
        return frame
    version = _version_at(versions, event_time)
    for column in contract.encrypted:
        token = _token_of({key.version: column_key(key, contract.name, column.name) for key in versions})
        frame = frame.withColumn(column.encrypted_name or column.name, token(F.col(column.name), version))
    return frame.drop(*(column.name for column in contract.encrypted))


def in_force(versions: Sequence[KeyVersion], event_time: str) -> Column:
    """Return a condition: some version of the key is in force at the event time, a column's name.

    False where the time is null.
    """
    at = F.col(event_time)
    periods = [(at >= F.lit(key.valid_from)) & (at < F.lit(key.valid_until)) for key in versions]
    return F.coalesce(reduce(or_, periods, F.lit(False)), F.lit(False))


def with_encrypted_payload(
    frame: DataFrame, contract: Contract, versions: tuple[KeyVersion, ...], event_time: str
) -> DataFrame:
    """Add ``encrypted_payload`` (AES-256-GCM of ``payload``, base64) and ``key_version``.

    The version is the one in force at ``event_time``, a column's name; both are null where there is none.
    """
    rows = [
        (
            key.version,
            key.valid_from,
            key.valid_until,
            bytearray(encryption_key_of(contract.name, versions, key.version)),
        )
        for key in versions
    ]
    keys = _hidden(
        frame.sparkSession, rows, "key_version int, valid_from timestamp, valid_until timestamp, encryption_key binary"
    )
    return encrypted(_with_keys(frame, keys, event_time))


def encrypted(frame: DataFrame) -> DataFrame:
    """Add ``encrypted_payload``: ``payload`` under the row's ``encryption_key``; null where there is none."""
    made = F.base64(F.aes_encrypt("payload", "encryption_key", F.lit("GCM")))
    return frame.withColumn("encrypted_payload", made)


def with_payload(frame: DataFrame, contract: Contract, versions: tuple[KeyVersion, ...]) -> DataFrame:
    """Add ``payload``, the decrypted ``encrypted_payload``; null where none of these keys decrypts it."""
    rows = [(key.version, bytearray(encryption_key_of(contract.name, versions, key.version))) for key in versions]
    keys = _hidden(frame.sparkSession, rows, "key_version int, encryption_key binary")
    clear = F.try_aes_decrypt(F.unbase64("encrypted_payload"), "encryption_key", F.lit("GCM"))
    return frame.join(F.broadcast(keys), "key_version", "left").withColumn("payload", clear).drop("encryption_key")


def decrypted(
    spark: SparkSession, contract: Contract, versions: tuple[KeyVersion, ...], key_version: int, encrypted_payload: str
) -> bytes:
    """Return one payload of ``with_encrypted_payload``, decrypted; raises KeyError for an unknown key version.

    ``encrypted_payload`` is base64. Spark's own error is raised when the key does not decrypt it.
    """
    key = encryption_key_of(contract.name, versions, key_version)
    row = _hidden(spark, [(bytearray(key), encrypted_payload)], "encryption_key binary, encrypted string")
    clear = row.select(F.aes_decrypt(F.unbase64("encrypted"), "encryption_key", F.lit("GCM")).alias("payload"))
    return bytes(clear.collect()[0]["payload"])


def _with_keys(frame: DataFrame, keys: DataFrame, event_time: str) -> DataFrame:
    valid = (F.col(event_time) >= F.col("valid_from")) & (F.col(event_time) < F.col("valid_until"))
    return frame.join(F.broadcast(keys), on=valid, how="left")


def _hidden(spark: SparkSession, rows: Sequence[tuple[object, ...]], schema: str) -> DataFrame:
    """A frame from an RDD: a literal or a local relation would show the key in the plan, and so in event logs."""
    return spark.createDataFrame(spark.sparkContext.parallelize(rows, 1), schema)


def _version_at(versions: Sequence[KeyVersion], event_time: str) -> Column:
    """Return the key version in force at the event time; null where there is none."""
    at, version = F.col(event_time), F.lit(None).cast("int")
    for key in versions:
        version = F.when((at >= F.lit(key.valid_from)) & (at < F.lit(key.valid_until)), key.version).otherwise(version)
    return version


def _token_of(column_keys: dict[int, bytes]) -> Callable[[Column, Column], Column]:
    """Return a function of a value and a key version; the keys are in it, and so in no plan.

    A batch has many rows of a subject, and each needs its token only once.
    """

    def tokens(values: pd.Series, versions: pd.Series) -> pd.Series:
        found = np.full(len(values), None, dtype=object)
        for version, places in versions.groupby(versions).indices.items():
            codes, words = pd.factorize(values.iloc[places])
            made = [token_under(column_keys[int(version)], int(version), word) for word in words]
            found[places] = np.array([*made, None], dtype=object)[codes]  # a null has the code -1
        return pd.Series(found)

    udf: Any = pandas_udf
    made: Callable[[Column, Column], Column] = udf(tokens, "string")
    return made
