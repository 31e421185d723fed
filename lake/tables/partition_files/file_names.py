"""Names of partition files: the pieces in which a table is replaced, each one object whose key follows from the row."""

from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import Column
from pyspark.sql import functions as F

from lake.contract.model import Contract

FILE = "partition_file"
_WHOLE_DAY = "day"


def file_of(contract: Contract) -> Column:
    """Return the name of a row's file: ``2026-11-20_h13`` for date and hour, ``2026-11-20_day`` for date alone."""
    day = F.date_format(contract.publish_granularity["date"], "yyyy-MM-dd")
    of_hour = contract.publish_granularity.get("hour")
    hour = F.date_format(of_hour, "'h'HH") if of_hour else F.lit(_WHOLE_DAY)
    return F.concat_ws("_", day, hour)


def files_of(contract: Contract, rows: Any) -> tuple[list[str], Any]:
    """Return the names that ``file_of`` gives the rows of an Arrow table, each once, and for each row the place of its.

    No row may lack what the name is taken from.
    """
    days = _moments(rows.column(contract.publish_granularity["date"])).astype("datetime64[D]")
    of_hour = contract.publish_granularity.get("hour")
    hours = _moments(rows.column(of_hour)).astype("datetime64[h]").astype(np.int64) % 24 if of_hour else 0
    found, places = np.unique(days.astype(np.int64) * 24 + hours, return_inverse=True)
    named = np.datetime_as_string((found // 24).astype("datetime64[D]")).tolist()
    return [
        f"{day}_h{hour:02d}" if of_hour else f"{day}_{_WHOLE_DAY}"
        for day, hour in zip(named, (found % 24).tolist(), strict=True)
    ], places.reshape(-1)


def _moments(column: Any) -> Any:
    return column.cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us")).to_numpy()


def partition(file: str) -> str:
    """Return the partition folder of a partition file, e.g. ``date=2026-11-20``."""
    return f"date={file.split('_')[0]}"


def object_key(prefix: str, file: str) -> str:
    """Return the key of a partition file, e.g. ``curated/sensor-readings/date=2026-11-20/h13.parquet``.

    ``prefix`` is the dataset's and ends with a slash.
    """
    return f"{prefix}{partition(file)}/{file.split('_')[1]}.parquet"


def of_key(prefix: str, key: str) -> str:
    """Return the name of the partition file that has this ``key`` below the dataset's ``prefix``."""
    folder, _, file = key.removeprefix(prefix).rpartition("/")
    return f"{folder.removeprefix('date=')}_{file.removesuffix('.parquet')}"
