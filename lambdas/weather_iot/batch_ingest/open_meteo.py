"""The Open-Meteo forecast API: one bounded request, and an answer that is checked before anybody believes it."""

import json
import math
import os
import random
import time
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import requests
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_base
from urllib3.exceptions import DecodeError, HTTPError

URL = "https://api.open-meteo.com"
VARIABLES = {
    "temperature_2m": "temperature_c",
    "relative_humidity_2m": "humidity_pct",
    "wind_speed_10m": "windspeed_kmh",
    "precipitation": "precipitation_mm",
}
# What one unit of the answer is in ours; a unit that is not here is refused, never guessed.
_FACTORS = {
    "temperature_c": {"°C": 1.0},
    "humidity_pct": {"%": 1.0},
    "windspeed_kmh": {"km/h": 1.0, "m/s": 3.6},
    "precipitation_mm": {"mm": 1.0},
}
# The API answers for the middle of its model's cell, at most this far from what was asked for.
_GRID_DEGREES = 0.25
_ATTEMPTS = 5
_MAXIMUM_BYTES = 4 * 1024 * 1024
_READ_SECONDS = 10.0
_RETRIED = {429, 500, 502, 503, 504}


@dataclass(frozen=True)
class City:
    """A place to ask for, degrees north and east."""

    name: str
    latitude: float
    longitude: float

    @property
    def slug(self) -> str:
        """The name as it stands in object keys: lower case ASCII, words joined by underscores."""
        plain = unicodedata.normalize("NFKD", self.name).encode("ascii", "ignore").decode().lower()
        return "_".join("".join(letter if letter.isalnum() else " " for letter in plain).split())


@dataclass(frozen=True)
class Hour:
    """One hour of an answer; ``timestamp`` is ISO 8601, UTC. None where the API has no value."""

    timestamp: str
    temperature_c: float | None
    humidity_pct: float | None
    windspeed_kmh: float | None
    precipitation_mm: float | None


class UpstreamError(Exception):
    """The API did not give an answer that can be stored."""


class TransientError(UpstreamError):
    """Worth another attempt; ``retry_after`` is in seconds when the API said so."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


def fetch(city: City, forecast_days: int, deadline: float) -> list[Hour]:
    """The hours that the API has for a city; ``deadline`` is on the monotonic clock. Raises UpstreamError."""

    def is_over(state: RetryCallState) -> bool:
        return time.monotonic() + state.upcoming_sleep >= deadline

    attempts = Retrying(
        retry=retry_if_exception_type(TransientError),
        stop=lambda state: stop_after_attempt(_ATTEMPTS)(state) or is_over(state),
        wait=_RetryAfterOrBackOff(),
        reraise=True,
    )
    return checked(attempts(_get, city, forecast_days, deadline), city)


class _RetryAfterOrBackOff(wait_base):
    """Wait as Retry-After says, else 1, 2, 4 … seconds, with jitter so that callers do not return all at once."""

    def __call__(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = getattr(error, "retry_after", None)
        pause = asked if asked is not None else 2.0 ** (state.attempt_number - 1)
        return float(pause) + random.uniform(0, 1)  # noqa: S311 - spreads load, protects nothing


def _get(city: City, forecast_days: int, deadline: float) -> Any:
    parameters: dict[str, str | float] = {
        "latitude": city.latitude,
        "longitude": city.longitude,
        "hourly": ",".join(VARIABLES),
        "forecast_days": forecast_days,
        "timezone": "UTC",
    }
    timeout = max(0.1, min(_READ_SECONDS, deadline - time.monotonic()))
    url = f"{os.environ.get('OPEN_METEO_URL', URL)}/v1/forecast"
    try:
        # A redirect would lead to a host that nobody has checked.
        with requests.get(url, params=parameters, timeout=timeout, stream=True, allow_redirects=False) as response:
            return _answer(response, deadline)
    except (DecodeError, ValueError) as error:
        raise UpstreamError(f"unreadable answer: {error}") from error
    except (requests.ConnectionError, requests.Timeout, HTTPError) as error:
        raise TransientError(f"no answer: {error}") from error
    except requests.RequestException as error:
        raise UpstreamError(f"unreadable answer: {error}") from error


def _answer(response: requests.Response, deadline: float) -> Any:
    if response.status_code in _RETRIED:
        raise TransientError(f"HTTP {response.status_code}", _seconds(response.headers.get("Retry-After")))
    body = _body(response, deadline)
    if response.status_code != 200:
        raise UpstreamError(f"HTTP {response.status_code}: {body[:300].decode('utf-8', 'replace')}")
    if "json" not in response.headers.get("Content-Type", ""):
        raise UpstreamError(f"answer is {response.headers.get('Content-Type')}, not JSON")
    return json.loads(body)


def _body(response: requests.Response, deadline: float) -> bytes:
    """The body within size and time: a read timeout alone does not end a body that trickles.

    Neither does iter_content, which waits until a whole chunk is there; read1 gives what has come.
    """
    body = bytearray()
    while chunk := response.raw.read1(64 * 1024, decode_content=True):
        body += chunk
        if len(body) > _MAXIMUM_BYTES:
            raise UpstreamError(f"answer is larger than {_MAXIMUM_BYTES} bytes")
        if time.monotonic() > deadline:
            raise TransientError("answer took too long")
    return bytes(body)


def _seconds(retry_after: str | None) -> float | None:
    try:
        return max(0.0, float(retry_after)) if retry_after is not None else None
    except ValueError:
        return None


def checked(answer: Any, city: City) -> list[Hour]:
    """The hours of an answer whose shape, place, units and lengths are right; raises UpstreamError."""
    if not isinstance(answer, dict) or not isinstance(answer.get("hourly"), dict):
        raise UpstreamError("answer has no hourly values")
    _check_place(answer, city)
    hourly, units = answer["hourly"], answer.get("hourly_units", {})
    times = hourly.get("time")
    if not isinstance(times, list) or not times:
        raise UpstreamError("answer has no hours")
    columns = {ours: _values(hourly, units, theirs, ours, len(times)) for theirs, ours in VARIABLES.items()}
    offset = _offset(answer)
    rows = zip(times, *columns.values(), strict=True)
    return [Hour(_utc(moment, offset), *values) for moment, *values in rows]


def _check_place(answer: Mapping[str, Any], city: City) -> None:
    for name, wanted in (("latitude", city.latitude), ("longitude", city.longitude)):
        found = answer.get(name)
        if not isinstance(found, int | float) or abs(found - wanted) > _GRID_DEGREES:
            raise UpstreamError(f"answer is for {name} {found}, asked for {wanted}")


def _values(
    hourly: Mapping[str, Any], units: Mapping[str, Any], theirs: str, ours: str, length: int
) -> list[float | None]:
    values, unit = hourly.get(theirs), units.get(theirs)
    if not isinstance(values, list) or len(values) != length:
        raise UpstreamError(f"{theirs} does not have one value for each of {length} hours")
    if unit not in _FACTORS[ours]:
        raise UpstreamError(f"{theirs} is in '{unit}', known are {', '.join(_FACTORS[ours])}")
    return [_converted(value, _FACTORS[ours][unit], theirs) for value in values]


def _converted(value: Any, factor: float, name: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UpstreamError(f"{name} holds {value!r}, not a number")
    return round(value * factor, 6)


def _offset(answer: Mapping[str, Any]) -> timedelta:
    """The offset of this very answer: the zone's name may stand for another one on the day of the values."""
    seconds = answer.get("utc_offset_seconds")
    if not isinstance(seconds, int):
        raise UpstreamError("answer does not say its offset from UTC")
    return timedelta(seconds=seconds)


def _utc(local: Any, offset: timedelta) -> str:
    try:
        return (datetime.fromisoformat(local) - offset).isoformat(timespec="minutes")
    except (TypeError, ValueError) as error:
        raise UpstreamError(f"'{local}' is not a time") from error
