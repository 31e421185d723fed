"""Rewrite partition files with given rows, without a merge."""

from collections.abc import Mapping

from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import to_arrow_schema

from lake.contract.model import Contract
from lake.tables.base import TableChange
from lake.tables.partition_files import file_names, merge, staging, writer
from lake.tables.partition_files.file_names import FILE
from lake.tables.partition_files.staging import StagingArea


def before(area: StagingArea, contract: Contract, touched: list[str]) -> dict[str, str | None]:
    """Return the ETag of each of the partition files ``touched``, by name; None where there is no object."""
    location = area.locations[contract.name]
    return {file: area.storage.etag(location.bucket, file_names.object_key(location.prefix, file)) for file in touched}


def existing(area: StagingArea, contract: Contract, etags: Mapping[str, str | None]) -> DataFrame:
    """Return the present rows of these partition files; ``etags`` is what ``before`` returned."""
    location = area.locations[contract.name]
    present = [file_names.object_key(location.prefix, file) for file, etag in etags.items() if etag]
    return merge.read_files(area.spark, contract, location, present)


def staged(
    area: StagingArea, contract: Contract, etags: Mapping[str, str | None], rows: DataFrame
) -> tuple[TableChange, ...]:
    """Stage each of these partition files with exactly its ``rows``; returns the changes to publish.

    ``etags`` is what ``before`` returned. A partition file without rows becomes an object without rows: data is
    replaced, never deleted. Raises CountsNotReconciled when not every row was written once.
    """
    numbers = {row[FILE]: row["count"] for row in rows.groupBy(FILE).count().collect()}
    staging.write(area, contract, rows, numbers)
    for file in etags.keys() - numbers.keys():
        _put_empty(area, contract, file)
    return tuple(staging.change(area, contract, file, etags[file], numbers.get(file, 0)) for file in sorted(etags))


def touched(*frames: DataFrame) -> list[str]:
    """Return the names of the partition files that occur in any of these DataFrames, sorted."""
    return sorted({row[FILE] for frame in frames for row in frame.select(FILE).distinct().collect()})


def _put_empty(area: StagingArea, contract: Contract, file: str) -> None:
    schema = to_arrow_schema(area.spark.createDataFrame([], contract.ddl).schema)
    key = writer.object_key(area.folder(contract.name), file)
    area.storage.put(area.location.bucket, key, writer.without_rows(schema))
