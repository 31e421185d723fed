"""What weather_iot does while nothing goes wrong."""

from drills.lake import Lake


def done(lake: Lake) -> dict[str, int]:
    """Committed runs of the messages, messages in curated, days of weather in curated."""
    runs = "SELECT count(*) FROM pipeline_runs WHERE dataset = 'curated_sensor_readings' AND status = 'COMMITTED'"
    messages = "SELECT count(*) FROM curated_sensor_readings"
    weather_days = "SELECT count(DISTINCT date) FROM curated_weather"
    return {
        "runs": _number(lake, runs),
        "messages": _number(lake, messages),
        "weather_days": _number(lake, weather_days),
    }


def expected(hours: int) -> dict[str, int]:
    """A run each hour, a message of a sensor every five minutes, the weather of each day.

    Weather comes once a day, whenever the lake was deployed, and is in curated after the next run: up to two hours
    later than a day.
    """
    return {"runs": hours, "messages": hours * 12, "weather_days": max(hours - 2, 0) // 24}


def _number(lake: Lake, sql: str) -> int:
    return int(lake.query(sql)[0][0] or 0)
