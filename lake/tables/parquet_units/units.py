"""Units: the pieces in which a table is replaced, each one object with a fixed key, a function of the record key."""

from pyspark.sql import Column
from pyspark.sql import functions as F

from lake.contract.model import Contract

UNIT = "unit"
_WHOLE_DAY = "day"


def unit_of(contract: Contract) -> Column:
    """The unit of a row, e.g. ``2026-11-20_h13`` for date and hour, ``2026-11-20_day`` for date alone."""
    day = F.date_format(contract.unit["date"], "yyyy-MM-dd")
    hour = F.date_format(contract.unit["hour"], "'h'HH") if "hour" in contract.unit else F.lit(_WHOLE_DAY)
    return F.concat_ws("_", day, hour)


def partition(unit: str) -> str:
    """The partition's folder of a unit, e.g. ``date=2026-11-20``."""
    return f"date={unit.split('_')[0]}"


def object_key(prefix: str, unit: str) -> str:
    """The key of a unit's object, e.g. ``curated/sensor-readings/date=2026-11-20/h13.parquet``."""
    return f"{prefix}{partition(unit)}/{unit.split('_')[1]}.parquet"


def of_key(prefix: str, key: str) -> str:
    """The unit of an object."""
    folder, _, file = key.removeprefix(prefix).rpartition("/")
    return f"{folder.removeprefix('date=')}_{file.removesuffix('.parquet')}"
