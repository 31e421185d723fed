"""Transform of weather_iot: raw weather and sensor messages become curated tables, and these city hours, every hour."""

import sys
from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lake.operations.job import Job


def main(arguments: Sequence[str]) -> None:
    """Load new raw records: validate by contract, pseudonymise, merge, publish, count; derive. Raises JobFailed."""
    job = Job.from_arguments(arguments)
    job.run_each(
        {
            "curated_weather": weather,
            "curated_sensor_readings": sensor_readings,
            "curated_city_hours": city_hours,
        }
    )
    job.finish()


def weather(raw: DataFrame) -> DataFrame:
    """Hours of weather by city."""
    return raw.transform(with_temperature_f)


def sensor_readings(raw: DataFrame) -> DataFrame:
    """Readings of sensors."""
    return raw.transform(with_quality_score)


def city_hours(curated_weather: DataFrame, curated_sensor_readings: DataFrame) -> DataFrame:
    """Hours of cities: weather beside the readings of the sensors, an hour that only one of them knows included."""
    weather = curated_weather.select(
        "city",
        F.date_trunc("HOUR", "timestamp").alias("timestamp"),
        F.col("temperature_c").alias("weather_temperature_c"),
        F.col("humidity_pct").alias("weather_humidity_pct"),
    )
    return weather.join(readings_by_hour(curated_sensor_readings), ["city", "timestamp"], "full").fillna(
        0, ["sensor_readings", "sensors"]
    )


def readings_by_hour(readings: DataFrame) -> DataFrame:
    """Readings of sensors as one row for each city and hour."""
    hour = F.date_trunc("HOUR", "timestamp").alias("timestamp")
    # Sums of doubles depend on their order; those of decimals do not, so that equal readings give equal rows.
    temperature, aqi = F.col("temperature_c").cast("decimal(12,6)"), F.col("aqi").cast("decimal(12,6)")
    return readings.groupBy("city", hour).agg(
        F.count("*").alias("sensor_readings"),
        F.countDistinct("sensor_id_hash").alias("sensors"),
        F.round(F.avg(temperature), 2).cast("double").alias("sensor_temperature_mean_c"),
        F.min("temperature_c").alias("sensor_temperature_min_c"),
        F.max("temperature_c").alias("sensor_temperature_max_c"),
        F.round(F.avg(aqi), 1).cast("double").alias("aqi_mean"),
    )


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
