"""Names of partition files: the pieces in which a table is replaced, each one object whose key follows from the row."""

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
