"""The analyst's queries of the demo."""

HOURLY_TEMPERATURE = """
SELECT city, hour("timestamp") AS hour, round(avg(temperature_c), 1) AS mean_c, count(*) AS days
FROM curated_weather
GROUP BY city, hour("timestamp")
ORDER BY city, hour
"""

LATEST_READINGS = """
SELECT sensor_id_hash, city, "timestamp", temperature_c, humidity_pct, aqi, quality_score
FROM (
  SELECT *, row_number() OVER (PARTITION BY sensor_id_hash ORDER BY "timestamp" DESC) AS newest
  FROM curated_sensor_readings
)
WHERE newest = 1
ORDER BY city, sensor_id_hash
"""

AIR_QUALITY = """
SELECT city,
  count_if(aqi <= 50) AS good,
  count_if(aqi BETWEEN 51 AND 100) AS moderate,
  count_if(aqi > 100) AS unhealthy,
  round(avg(aqi), 1) AS mean_aqi
FROM curated_sensor_readings
GROUP BY city
ORDER BY city
"""

QUESTIONS = {
    "Hourly mean temperature by city": HOURLY_TEMPERATURE,
    "Latest reading of each sensor": LATEST_READINGS,
    "Air quality by city": AIR_QUALITY,
}
