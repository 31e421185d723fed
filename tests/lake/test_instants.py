"""Texts become moments, or a reason: one by one as in a whole column, and as Spark reads them."""

from datetime import UTC, datetime, timedelta
from random import Random

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lake.contract import model, times
from lake.records import typed
from lake.records.arrow_lines import Parsed
from lake.records.instants import TYPE, instants

HOUR = datetime(2026, 11, 20, 13, tzinfo=UTC)
ODD = (
    "2026-02-30T13:00", "2024-02-29T23:59:59Z", "2023-02-29T00:00", "20 November 2026", "1763643600", "2026-11-20", "",
    "2026-11-20T24:00", "2026-11-20T23:60", "2026-11-20T23:59:60Z", "2026-11-20T13:00:00.1234567Z", "2026-11-20T13Z",
    "2026-11-20T13:00:00.123456789", "2026-11-20T13:00:00.", "2026-11-20T13:00:00,5Z", "2026-11-20T13:00+18:00",
    "2026-11-20T13:00-18:00", "2026-11-20T13:00+18:01", "2026-11-20T13:00-19:00", "2026-11-20T13:00+05:60",
    "2026-11-20T13:00+0545", "2026-11-20T13:00+05", "2026-11-20T13:00z", "2026-11-20 13:00", "2026-11-20T13:00Z\n",
    " 2026-11-20T13:00Z", "0000-01-01T00:00", "0001-01-01T00:00+18:00", "0001-01-01T00:00:00Z",
    "9999-12-31T23:59-18:00", "9999-12-31T23:59:59.999999999Z", "1582-10-10T00:00Z", "1969-12-31T23:59:59.999999Z",
    "٢٠٢٦-11-20T13:00",
    "2026-W47-5T13:00", "2026-13-01T00:00Z", "2026-11-00T00:00Z", "+2026-11-20T13:00",
)  # fmt: skip


def alone(text: str | None) -> int | None:
    """Microseconds of one text, which another one that is no moment keeps from being read with its column."""
    found: int | None = instants(pa.array([text, "never"], pa.string())).cast(pa.int64())[0].as_py()
    return found


def micros(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-20T13:00", HOUR),
        ("2026-11-20T13:00:00Z", HOUR),
        ("2026-11-20T18:45:00+05:45", HOUR),
        ("2026-11-20T13:00:00.250000+00:00", HOUR + timedelta(milliseconds=250)),
        (None, None),
        ("2026-02-30T13:00", None),
        ("20 November 2026", None),
        ("1763643600", None),
        ("2026-11-20", None),
        *((example.text, datetime.fromisoformat(f"{example.moment}Z")) for example in times.EXAMPLES),
    ],
)
def test_a_text_is_a_moment_or_none(text: str | None, expected: datetime | None) -> None:
    assert alone(text) == micros(expected)
    assert instants(pa.array([text], pa.string())).cast(pa.int64()).to_pylist() == [micros(expected)]


def test_a_whole_column_is_read_as_each_text_alone() -> None:
    """Columns that Arrow reads, and those that one text makes another form: by zone, digits, calendar, and null."""
    chance = Random(1)
    usual = [
        f"{chance.randrange(1000, 3000)}-{chance.randrange(1, 13):02d}-{chance.randrange(1, 29):02d}"
        f"T{chance.randrange(24):02d}:{chance.randrange(60):02d}{chance.choice(('', ':07', ':59.5', ':00.123456'))}"
        for _ in range(2000)
    ]
    zones = ("Z", "+00:00", "-17:59", "+05:45", "+14:00")
    zoned = [f"{text}{chance.choice(zones)}" for text in usual]
    for texts in (usual, zoned, [*usual, *zoned], [*zoned, None], [*usual, None], [], [None, None]):
        found = instants(pa.array(texts, pa.string()))
        assert found.type == TYPE
        assert found.cast(pa.int64()).to_pylist() == [alone(text) for text in texts]
    for odd in ODD:
        texts = [zoned[0], odd, usual[0], None]
        expected = [alone(text) for text in texts]
        assert instants(pa.array(texts, pa.string())).cast(pa.int64()).to_pylist() == expected


def test_spark_reads_the_same_moments(spark: SparkSession) -> None:
    """Spark wants seconds before a zone, and cuts what is beyond six digits; what has another form is none for us."""
    texts = [*ODD, *(example.text for example in times.EXAMPLES), "2026-11-20T13:00:00.25+05:45"]
    frame = spark.createDataFrame([(number, text) for number, text in enumerate(texts)], "number int, text string")
    text = F.col("text")
    is_short = F.substring(text, 17, 1).isin("Z", "+", "-")
    whole = F.when(is_short, F.concat(F.substring(text, 1, 16), F.lit(":00"), F.substring(text, 17, 6))).otherwise(text)
    moment = F.when(text.rlike(rf"^{times.FORM}\z"), F.try_to_timestamp(whole))
    rows = frame.select("number", F.unix_micros(moment).alias("micros")).orderBy("number").collect()
    found = instants(pa.array(texts, pa.string())).cast(pa.int64()).to_pylist()
    assert found == [row["micros"] for row in rows]


def test_a_text_that_is_no_moment_is_a_reason_beside_others() -> None:
    columns = model.load("raw_weather").stored
    names = [column.name for column in columns]
    texts = pa.array(["2026-11-20T13:00", "yesterday", None, "never"], pa.string())
    values = [texts if name == "timestamp" else pa.nulls(4, pa.string()) for name in names]
    block = Parsed(range(4), [b""] * 4, values, None, None)
    assert typed.with_instants(block, columns, {"timestamp"}).reasons == [
        [], ["type:timestamp"], [], ["type:timestamp"]
    ]  # fmt: skip
    other = block._replace(reasons=[["a"], ["b"], [], []])
    assert typed.with_instants(other, columns, {"timestamp"}).reasons == [
        ["a"], ["b", "type:timestamp"], [], ["type:timestamp"]
    ]  # fmt: skip
    assert typed.with_instants(block, columns, frozenset()) == block
