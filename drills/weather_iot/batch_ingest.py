"""Scenario 1: the batch ingest function fails."""

import json
from typing import Any

from drills import faults
from drills.drill import Drill, require
from drills.lake import Lake
from drills.weather_iot import open_meteo

DOWN = {"status": 503, "headers": {"Retry-After": "0"}, "times": 0}
SPENT = {"error": True, "reason": "Daily API request limit exceeded. Please try again tomorrow."}
LIMITED = {"status": 429, "body": json.dumps(SPENT), "times": 0, "match": open_meteo.PARIS}
# The function keeps 15 seconds for storing; with less it would not even ask for the weather.
SHORT_TIMEOUT_SECONDS = 17
SECTION, ALARM = "batch-ingest-errors", "batch-ingest-errors"


def ingest(lake: Lake) -> None:
    """What the schedule does; here the function fails."""
    answer = lake.invoke("batch_ingest", {})
    require(bool(answer.error), f"the function did not fail: {answer.payload}")


def api_down(lake: Lake) -> int:
    """Open-Meteo answers 503 to every request, then recovers with other weather."""
    lake.break_simulator(open_meteo.SIMULATOR, DOWN)
    ingest(lake)
    return _weather_back(lake)


def day_spent(lake: Lake) -> int:
    """Open-Meteo answers for one city that the day's requests are used up; tomorrow there is other weather."""
    lake.break_simulator(open_meteo.SIMULATOR, LIMITED)
    ingest(lake)
    return _weather_back(lake)


def too_slow(lake: Lake) -> int:
    """Storing takes longer than the function's timeout, which somebody has lowered."""
    faults.configure(lake, lake.function("batch_ingest"), Timeout=SHORT_TIMEOUT_SECONDS)
    before = _weather_back(lake)
    lake.break_aws({"service": "s3", "action": "PutObject", "match": "raw/weather", "hang": True, "times": 0})
    ingest(lake)
    lake.break_aws()
    return before


def storing_denied(lake: Lake) -> int:
    """The role lost s3:PutObject."""
    before = _weather_back(lake)
    faults.forbid_action(lake, lake.function("batch_ingest"), "s3:PutObject")
    ingest(lake)
    return before


def key_denied(lake: Lake) -> int:
    """The role lost kms:GenerateDataKey."""
    before = _weather_back(lake)
    faults.forbid_action(lake, lake.function("batch_ingest"), "kms:GenerateDataKey")
    ingest(lake)
    return before


def _weather_back(lake: Lake) -> int:
    """There is new weather to fetch; how many objects raw has before."""
    open_meteo.new_weather(lake)
    return len(lake.objects("raw/weather/"))


def arrived(lake: Lake, before: Any) -> str:
    """Raw has the new weather."""
    after = len(lake.objects("raw/weather/"))
    require(after > before, f"raw/weather/ has {after} objects, as many as before")
    return f"raw/weather/ has {after - before} new object(s)"


def _drill(number: str, title: str, inject: Any, blocks: tuple[str, ...]) -> Drill:
    return Drill(number, SECTION, title, inject, blocks, arrived, alarms=(ALARM,))


DRILLS = (
    _drill("1a", "Open-Meteo is down", api_down, ("confirm", "invoke", "verify")),
    _drill("1b", "the function needs more time than it has", too_slow, ("confirm", "apply", "invoke", "verify")),
    _drill("1c", "the role may not put objects", storing_denied, ("confirm", "apply", "invoke", "verify")),
    _drill("1d", "the role may not use the key", key_denied, ("confirm", "apply", "invoke", "verify")),
    _drill("1e", "the day's requests to Open-Meteo are used up", day_spent, ("confirm", "invoke", "verify")),
)
