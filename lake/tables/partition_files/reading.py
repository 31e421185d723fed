"""Read some columns of partition files into Spark, in tasks that know how to read one already."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, cast

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType, _parse_datatype_string

from lake.contract.model import Contract
from lake.core.s3 import storage_of_process
from lake.tables.partition_files import owner

# What Spark turns into rows at once.
_ROWS = 64 * 1024


def rows(
    spark: SparkSession, contract: Contract, bucket: str, keys: Sequence[str], columns: Collection[str]
) -> DataFrame:
    """Return the rows of the partition files with these ``keys`` of ``bucket``, with these stored ``columns``."""
    kept = [column for column in contract.stored if column.stored_name in columns]
    ddl = ", ".join(f"`{column.stored_name}` {column.stored_type}" for column in kept)
    schema = to_arrow_schema(cast(StructType, _parse_datatype_string(ddl)))
    slices = max(1, min(len(keys), spark.sparkContext.defaultParallelism))
    dealt = [list(keys[number::slices]) for number in range(slices)]

    def read(batches: Iterable[Any]) -> Iterator[Any]:
        for number in (number for batch in batches for number in batch.column(0).to_pylist()):
            for key in dealt[number]:
                table = owner.existing(storage_of_process().read(bucket, key), schema)
                yield from table.to_batches(max_chunksize=_ROWS)

    return spark.range(slices, numPartitions=slices).mapInArrow(read, ddl)


def read_by(query: DataFrame, contract: Contract) -> set[str]:
    """Return the stored columns of the contract that a query reads, whatever it calls what it makes of them."""
    names: set[str] = set()
    todo: list[Any] = [cast(Any, query)._jdf.queryExecution().analyzed()]
    every = {column.stored_name for column in contract.stored}
    while todo:
        node = todo.pop()
        if node.subqueries().nonEmpty():
            return every
        read = node.references().iterator()
        while read.hasNext():
            names.add(read.next().name())
        children = node.children()
        todo += [children.apply(place) for place in range(children.size())]
    # A query that only counts rows reads none; a row has at least one.
    return names & every or {contract.stored[0].stored_name}
