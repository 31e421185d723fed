"""The Open-Meteo forecast API: one bounded request, and an answer that is checked before anybody believes it."""

import math
import os
import random
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeGuard

import requests
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_base
from urllib3.exceptions import DecodeError, HTTPError

from lake.core import strict_json

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
HOURS_PER_DAY = 24
_MAXIMUM_BYTES = 4 * 1024 * 1024
_READ_SECONDS = 10.0
_RETRIED = {429, 500, 502, 503, 504}
# "Daily API request limit exceeded. Please try again tomorrow.": in seconds, how long to wait where no header says it.
_LIMITS = {"minutely": 60.0, "hourly": 3600.0, "daily": 86400.0, "monthly": 86400.0}
_LIMIT = re.compile(rf"({'|'.join(_LIMITS)}) api request limit", re.IGNORECASE)
# Of what others have sent a log gets this much.
_MOST_LETTERS = 300
_LOCAL_HOUR = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:00")
# Zones are at most 14 hours from UTC.
_FURTHEST_SECONDS = 14 * 3600


@dataclass(frozen=True)
class City:
    """A place to ask for, degrees north and east; ``key`` is its name in the keys of objects."""

    name: str
    latitude: float
    longitude: float
    key: str


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
    with _said_of(city):
        answer = attempts(_get, city, forecast_days, deadline)
    return checked(answer, city, forecast_days)


@contextmanager
def _said_of(city: City) -> Iterator[None]:
    """Turn whatever goes wrong inside into an UpstreamError of the city: an answer is odd in ways nobody has listed."""
    try:
        yield
    except UpstreamError as error:
        raise UpstreamError(f"{city.name}: {error}") from error
    except Exception as error:
        raise UpstreamError(f"{city.name}: answer cannot be used: {_quoted(error)}") from error


def _quoted(value: Any) -> str:
    """Return what somebody else has sent as a log can take it: a part of it, and no half letters."""
    return repr(value)[:_MOST_LETTERS]


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
        words = _words(response, deadline)
        limit = _LIMIT.search(words)
        pause = _seconds(response.headers.get("Retry-After"))
        raise TransientError(words, _LIMITS[limit[1].lower()] if pause is None and limit else pause)
    if response.status_code != 200:
        raise UpstreamError(_words(response, deadline))
    if "json" not in response.headers.get("Content-Type", ""):
        raise UpstreamError(f"answer is {_quoted(response.headers.get('Content-Type'))}, not JSON")
    body = _body(response, deadline)
    try:
        return strict_json.loads(body)
    except strict_json.NotStrict as error:
        raise UpstreamError(f"unreadable answer: {error}: {_quoted(body)}") from error


def _words(response: requests.Response, deadline: float) -> str:
    """The status of an answer that is none, and what it says about it, as far as that can be read."""
    try:
        said = _body(response, deadline)
    except (UpstreamError, HTTPError):
        said = b""
    words = said[:_MOST_LETTERS].decode("utf-8", "replace")
    return f"HTTP {response.status_code}: {words}" if words else f"HTTP {response.status_code}"


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


def checked(answer: Any, city: City, forecast_days: int) -> list[Hour]:
    """The hours of an answer whose shape, place, units and lengths are right; raises UpstreamError for any other."""
    with _said_of(city):
        return _hours(answer, city, forecast_days)


def _hours(answer: Any, city: City, forecast_days: int) -> list[Hour]:
    if not isinstance(answer, dict) or not isinstance(answer.get("hourly"), dict):
        raise UpstreamError(f"answer has no hourly values: {_quoted(answer)}")
    _check_place(answer, city)
    hourly, units = answer["hourly"], answer.get("hourly_units")
    times = hourly.get("time")
    if not isinstance(times, list) or not times:
        raise UpstreamError("answer has no hours")
    if len(times) > forecast_days * HOURS_PER_DAY:
        raise UpstreamError(f"answer has {len(times)} hours, asked for {forecast_days} days")
    columns = {ours: _values(hourly, units, theirs, ours, len(times)) for theirs, ours in VARIABLES.items()}
    offset = _offset(answer)
    moments = [_utc(moment, offset) for moment in times]
    if len(set(moments)) < len(moments):
        raise UpstreamError("answer has an hour twice")
    return [Hour(*hour) for hour in zip(moments, *columns.values(), strict=True)]


def _check_place(answer: Mapping[str, Any], city: City) -> None:
    for name, wanted in (("latitude", city.latitude), ("longitude", city.longitude)):
        found = answer.get(name)
        # Of a number that is none, nothing is true: not that it is too far away either.
        if not _is_number(found) or not abs(found - wanted) <= _GRID_DEGREES:
            raise UpstreamError(f"answer is for {name} {_quoted(found)}, asked for {wanted}")


def _is_number(value: Any) -> TypeGuard[float]:
    """Return True for a number that is finite as a double; JSON's integers have no limit."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _values(hourly: Mapping[str, Any], units: Any, theirs: str, ours: str, length: int) -> list[float | None]:
    values = hourly.get(theirs)
    if not isinstance(values, list) or len(values) != length:
        raise UpstreamError(f"{theirs} does not have one value for each of {length} hours")
    if all(value is None for value in values):
        # The API says "undefined" of a variable that its model does not have: there is nothing to convert.
        return [None] * length
    unit, known = units.get(theirs) if isinstance(units, dict) else None, _FACTORS[ours]
    if not isinstance(unit, str) or unit not in known:
        raise UpstreamError(f"{theirs} is in {_quoted(unit)}, known are {', '.join(known)}")
    return [_converted(value, known[unit], theirs) for value in values]


def _converted(value: Any, factor: float, name: str) -> float | None:
    if value is None:
        return None
    if not _is_number(value):
        raise UpstreamError(f"{name} holds {_quoted(value)}, not a number")
    return round(value * factor, 6)


def _offset(answer: Mapping[str, Any]) -> timedelta:
    """The offset of this very answer: the zone's name may stand for another one on the day of the values."""
    seconds = answer.get("utc_offset_seconds")
    if not isinstance(seconds, int) or isinstance(seconds, bool) or abs(seconds) > _FURTHEST_SECONDS or seconds % 60:
        raise UpstreamError(f"answer has the offset {_quoted(seconds)} from UTC")
    return timedelta(seconds=seconds)


def _utc(local: Any, offset: timedelta) -> str:
    """The moment of an hour as the API says it: local, without an offset of its own, which would count twice."""
    try:
        if _LOCAL_HOUR.fullmatch(local) is None:
            raise ValueError("another form")
        return (datetime.fromisoformat(local) - offset).isoformat(timespec="minutes")
    except (TypeError, ValueError, OverflowError) as error:
        raise UpstreamError(f"{_quoted(local)} is not an hour as in 2026-11-20T00:00") from error
