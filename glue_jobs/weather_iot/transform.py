"""Transform of weather_iot: raw weather and sensor messages become curated tables, every hour."""

import sys
from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lake.operations.job import Job


def main(arguments: Sequence[str]) -> None:
    """Load new raw records: validate by contract, pseudonymise, merge, publish, count. Raises JobFailed."""
    job = Job.from_arguments(arguments)
    job.run_each({"curated_weather": weather, "curated_sensor_readings": sensor_readings})
    job.finish()


def weather(raw: DataFrame) -> DataFrame:
    """Hours of weather by city."""
    return raw.transform(with_temperature_f)


def sensor_readings(raw: DataFrame) -> DataFrame:
    """Readings of sensors."""
    return raw.transform(with_quality_score)


def with_temperature_f(frame: DataFrame) -> DataFrame:
    """Add degrees Fahrenheit, two decimals."""
    return frame.withColumn("temperature_f", F.round(F.col("temperature_c") * 9 / 5 + 32, 2))


def with_quality_score(frame: DataFrame) -> DataFrame:
    """Add PASS (battery at least 50, all measures present), WARN (battery at least 20) or FAIL."""
    is_complete = F.col("temperature_c").isNotNull() & F.col("humidity_pct").isNotNull() & F.col("aqi").isNotNull()
    is_strong = F.col("battery_level") >= 50
    is_weak = F.col("battery_level") >= 20
    score = F.when(is_complete & is_strong, "PASS").when(is_weak, "WARN").otherwise("FAIL")
    return frame.withColumn("quality_score", score)


if __name__ == "__main__":
    main(sys.argv[1:])
