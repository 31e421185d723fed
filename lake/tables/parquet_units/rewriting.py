"""Rewrite partition files with given rows, without a merge."""

from collections.abc import Mapping

from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import to_arrow_schema

from lake.contract.model import Contract
from lake.tables.base import TableChange
from lake.tables.parquet_units import merge, staging, units, writer
from lake.tables.parquet_units.staging import Area
from lake.tables.parquet_units.units import UNIT


def before(area: Area, contract: Contract, touched: list[str]) -> dict[str, str | None]:
    """Return the ETag of each of these units, None where there is no object."""
    location = area.locations[contract.name]
    return {unit: area.storage.etag(location.bucket, units.object_key(location.prefix, unit)) for unit in touched}


def existing(area: Area, contract: Contract, etags: Mapping[str, str | None]) -> DataFrame:
    """Return the present rows of these units."""
    location = area.locations[contract.name]
    present = [units.object_key(location.prefix, unit) for unit, etag in etags.items() if etag]
    return merge.read_units(area.spark, contract, location, present)


def staged(area: Area, contract: Contract, etags: Mapping[str, str | None], rows: DataFrame) -> tuple[TableChange, ...]:
    """Stage each of these units with exactly its ``rows``.

    A unit without rows becomes an object without rows: data is replaced, never deleted.
    """
    numbers = {row[UNIT]: row["count"] for row in rows.groupBy(UNIT).count().collect()}
    staging.write(area, contract, rows, numbers)
    for unit in etags.keys() - numbers.keys():
        _put_empty(area, contract, unit)
    return tuple(staging.change(area, contract, unit, etags[unit], numbers.get(unit, 0)) for unit in sorted(etags))


def touched(*frames_with_units: DataFrame) -> list[str]:
    """Return the units that occur in any of these DataFrames."""
    return sorted({row[UNIT] for frame in frames_with_units for row in frame.select(UNIT).distinct().collect()})


def _put_empty(area: Area, contract: Contract, unit: str) -> None:
    schema = to_arrow_schema(area.spark.createDataFrame([], contract.ddl).schema)
    key = writer.object_key(area.folder(contract.name), unit)
    area.storage.put(area.location.bucket, key, writer.without_rows(schema))
