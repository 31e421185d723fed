"""Answer requests to Open-Meteo's forecast API from recordings.

The recorded answer of the nearest place within a quarter of a degree comes back as it was recorded, with its own dates,
units and UTC offset, whatever the request says about those; a place or a variable that the API knows and nobody
recorded is an error or nulls, never an invented value. Only its days move on with the clock of localaws, so that a
simulated week has new weather each day.
"""

import datetime
import json
from pathlib import Path
from typing import Any

NEAR_DEGREES = 0.25
DEFAULT_DAYS, MOST_DAYS = 7, 16

# Hourly variables of the API and the unit that it gives when the request names none.
UNITS = json.loads((Path(__file__).parent / "units.json").read_text(encoding="utf-8"))

# Values that the API accepts for its other parameters.
CHOICES = {
    "temperature_unit": ("TemperatureUnit", ("celsius", "fahrenheit")),
    "wind_speed_unit": ("WindspeedUnit", ("kmh", "ms", "mph", "kn")),
    "precipitation_unit": ("PrecipitationUnit", ("mm", "inch")),
    "timeformat": ("Timeformat", ("iso8601",)),
}


class BadRequest(Exception):
    """The reason in the API's answer with status 400."""


def answer(recordings: list[dict[str, Any]], parameters: dict[str, str], days_later: int = 0) -> dict[str, Any]:
    """The answer to /v1/forecast, so many days after it was recorded; raises BadRequest in the API's words."""
    recording = _nearest(recordings, _number(parameters, "latitude", 90), _number(parameters, "longitude", 180))
    for name, (kind, values) in CHOICES.items():
        if parameters.get(name, values[0]) not in values:
            raise _unknown(kind, parameters[name], name)
    days = parameters.get("forecast_days", str(DEFAULT_DAYS))
    if not days.isdigit() or int(days) > MOST_DAYS:
        raise BadRequest(f"Forecast days is invalid. Allowed range 0 to {MOST_DAYS}. Given {days}.")
    variables = [name for name in parameters.get("hourly", "").split(",") if name]
    for name in variables:
        if name not in UNITS:
            raise _unknown("SurfaceAndPressureVariable<ForecastSurfaceVariable, ForecastPressureVariable>", name, "")
    kept = {name: value for name, value in recording.items() if not isinstance(value, dict)}
    if not variables:
        return kept
    units, hours = recording["hourly_units"], {n: v[: 24 * int(days)] for n, v in recording["hourly"].items()}
    hours["time"] = [_later(time, days_later) for time in hours["time"]]
    nothing, shown = [None] * len(hours["time"]), ["time", *variables]
    return {
        **kept,
        "hourly_units": {name: units.get(name, UNITS.get(name)) for name in shown},
        "hourly": {name: hours.get(name, nothing) for name in shown},
    }


def _later(time: str, days: int) -> str:
    return (datetime.datetime.fromisoformat(time) + datetime.timedelta(days)).isoformat(timespec="minutes")


def _nearest(recordings: list[dict[str, Any]], latitude: float, longitude: float) -> dict[str, Any]:
    def distance(recording: dict[str, Any]) -> float:
        return float(max(abs(recording["latitude"] - latitude), abs(recording["longitude"] - longitude)))

    found = min(recordings, key=distance)
    if distance(found) > NEAR_DEGREES:
        raise BadRequest(f"localaws has no recording within {NEAR_DEGREES} degrees of {latitude}, {longitude}")
    return found


def _number(parameters: dict[str, str], name: str, limit: int) -> float:
    try:
        value = float(parameters[name])
    except KeyError as error:
        raise BadRequest(f"Parameter '{name}' is required") from error
    except ValueError as error:
        raise BadRequest(f"Value '{parameters[name]}' of parameter '{name}' is no number") from error
    if abs(value) > limit:
        raise BadRequest(f"{name.capitalize()} must be in range of -{limit} to {limit}°. Given: {value}.")
    return value


def _unknown(kind: str, value: str, key: str) -> BadRequest:
    return BadRequest(f"Cannot initialize {kind} from invalid String value {value} for key {key}")
