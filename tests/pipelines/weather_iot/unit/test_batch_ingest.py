"""batch_ingest against an HTTP server that plays the API, and S3 in memory."""

import json
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import moto
import pytest
import tenacity

from tests.lambdas import invocation

pytestmark = pytest.mark.component
BUCKET = "lake"
CITIES = [
    {"name": "Paris", "latitude": 48.8566, "longitude": 2.3522, "key": "paris"},
    {"name": "Brasília", "latitude": -15.7801, "longitude": -47.9292, "key": "brasilia"},
]
NOW = datetime(2026, 11, 20, 0, 15, tzinfo=UTC)


def answer(city: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Two hours of weather around midnight at the offset of one hour."""
    body: dict[str, Any] = {
        "latitude": city["latitude"] + 0.1,
        "longitude": city["longitude"] - 0.1,
        "utc_offset_seconds": 3600,
        "hourly_units": {
            "time": "iso8601", "temperature_2m": "°C", "relative_humidity_2m": "%", "wind_speed_10m": "m/s",
            "precipitation": "mm",
        },
        "hourly": {
            "time": ["2026-11-20T00:00", "2026-11-20T01:00"], "temperature_2m": [6.5, 7],
            "relative_humidity_2m": [97, None], "wind_speed_10m": [2.6, 3.0], "precipitation": [0.0, 0.1],
        },
    }  # fmt: skip
    for name, value in changes.items():
        if isinstance(value, dict):
            body[name].update(value)
        else:
            body[name] = value
    return body


class Api:
    """A server that answers each request with the next scripted (status, headers, body); the last one stays."""

    def __init__(self) -> None:
        self.script: list[tuple[int, dict[str, str], Any]] = []
        self.requests: list[dict[str, list[str]]] = []

    def next(self, path: str) -> tuple[int, dict[str, str], bytes]:
        query = parse_qs(urlsplit(path).query)
        self.requests.append(query)
        step = (self.script.pop(0) if len(self.script) > 1 else self.script[0]) if self.script else None
        if step is None:
            city = next(city for city in CITIES if str(city["latitude"]) == query["latitude"][0])
            step = (200, {}, answer(city))
        status, headers, body = step
        encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
        return status, {"Content-Type": "application/json; charset=utf-8", **headers}, encoded


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    api = Api()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = api.next(self.path)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("OPEN_METEO_URL", f"http://127.0.0.1:{server.server_address[1]}")
    yield api
    server.shutdown()
    server.server_close()


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with moto.mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket=BUCKET)
        yield client


@pytest.fixture
def ingest(function: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """One invocation whose pauses are counted instead of slept."""
    module = function("batch_ingest")
    pauses: list[float] = []
    # Not time.sleep itself: threads of other tests sleep too.
    monkeypatch.setattr(sys.modules["open_meteo"], "Retrying", partial(tenacity.Retrying, sleep=pauses.append))

    def invoke(client: Any, seconds: float = 60.0, cities: list[dict[str, Any]] = CITIES) -> dict[str, Any]:
        settings = module.Settings.load(environment(cities))
        summary: dict[str, Any] = module.ingest(settings, client, time.monotonic() + seconds, NOW)
        return {**summary, "pauses": list(pauses)}

    return invoke


def environment(cities: Any) -> dict[str, str]:
    """The function's environment for these cities."""
    writes = json.dumps({"raw_weather": f"s3://{BUCKET}/raw/weather/"})
    return {"WRITES": writes, "CITIES": json.dumps(cities), "ENVIRONMENT": "test", "FORECAST_DAYS": "1"}


def stored(client: Any) -> dict[str, list[dict[str, Any]]]:
    keys = [entry["Key"] for entry in client.list_objects_v2(Bucket=BUCKET).get("Contents", [])]
    bodies = {key: client.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}
    return {key: [json.loads(line) for line in body.splitlines()] for key, body in bodies.items()}


def test_one_call_a_city_and_one_object_a_city_and_day(api: Api, s3: Any, ingest: Any) -> None:
    summary = ingest(s3)
    assert len(api.requests) == 2
    assert api.requests[0]["timezone"] == ["UTC"]
    assert api.requests[0]["forecast_days"] == ["1"]
    assert [key.rsplit("_", 1)[0] for key in stored(s3)] == [
        "raw/weather/date=2026-11-19/brasilia_0001",
        "raw/weather/date=2026-11-19/paris_0001",
        "raw/weather/date=2026-11-20/brasilia_0001",
        "raw/weather/date=2026-11-20/paris_0001",
    ]
    del summary["ingestion_id"], summary["pauses"]
    assert summary == {
        "date": "2026-11-20", "cities_processed": 2, "cities_failed": 0, "total_records": 4, "environment": "test",
    }  # fmt: skip


def test_values_are_converted_to_our_units_and_utc_and_null_stays_null(api: Api, s3: Any, ingest: Any) -> None:
    ingest(s3)
    records = [record for lines in stored(s3).values() for record in lines if record["city"] == "Paris"]
    for record in records:
        del record["ingestion_id"]
    same = {"city": "Paris", "latitude": 48.8566, "longitude": 2.3522, "ingested_at": NOW.isoformat()}
    assert records == [
        {**same, "timestamp": "2026-11-19T23:00", "temperature_c": 6.5, "humidity_pct": 97.0, "windspeed_kmh": 9.36,
         "precipitation_mm": 0.0},
        {**same, "timestamp": "2026-11-20T00:00", "temperature_c": 7.0, "humidity_pct": None, "windspeed_kmh": 10.8,
         "precipitation_mm": 0.1},
    ]  # fmt: skip


def test_the_same_content_again_stores_nothing_new(api: Api, s3: Any, ingest: Any) -> None:
    ingest(s3)
    before = stored(s3)
    ingest(s3)
    assert stored(s3) == before


def test_a_correction_is_a_new_object_and_so_is_its_withdrawal(api: Api, s3: Any, ingest: Any) -> None:
    first, second = answer(CITIES[0]), answer(CITIES[0], hourly={"temperature_2m": [6.5, 8.0]})
    numbers = []
    for body in (first, second, first, first):
        api.script = [(200, {}, body), (400, {}, {"error": True, "reason": "not this one"})]
        ingest(s3)
        numbers.append(sorted(key.split("_")[1] for key in stored(s3) if "date=2026-11-20/paris" in key)[-1])
    assert numbers == ["0001", "0002", "0003", "0003"]


def named(*names: str) -> list[dict[str, Any]]:
    """Cities of these names, each a little further north."""
    return [
        {"name": name, "latitude": 40.0 + place, "longitude": 2.0, "key": name.lower().replace(" ", "_")}
        for place, name in enumerate(names)
    ]


def revisions(client: Any) -> list[str]:
    """City and number of each object of a day, in order."""
    keys = [key.partition("date=2026-11-20/")[2] for key in stored(client) if "date=2026-11-20" in key]
    return sorted(key.rpartition("_")[0] for key in keys)


@pytest.mark.parametrize(
    "names",
    [("New York", "New York Mills"), ("New York Mills", "New York"), ("Paris", "Paris 0001"), ("Paris 0001", "Paris")],
)
def test_cities_whose_names_begin_alike_do_not_know_of_each_other(
    api: Api, s3: Any, ingest: Any, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
) -> None:
    cities = named(*names)
    monkeypatch.setattr(sys.modules[__name__], "CITIES", cities)
    assert [ingest(s3, cities=cities)["cities_failed"] for _ in range(2)] == [0, 0]
    first, second = (city["key"] for city in cities)
    assert revisions(s3) == sorted([f"{first}_0001", f"{second}_0001"])
    api.script = [(200, {}, answer(cities[0], hourly={"temperature_2m": [6.5, 8.0]})), (200, {}, answer(cities[1]))]
    ingest(s3, cities=cities)
    assert revisions(s3) == sorted([f"{first}_0001", f"{first}_0002", f"{second}_0001"])


def test_what_somebody_puts_beside_the_objects_of_a_city_is_none_of_them(api: Api, s3: Any, ingest: Any) -> None:
    ingest(s3)
    for name in ("paris_backup.json", "paris_9999_by_hand.json", "paris_.json", "paris_0009_0123456789abcdef.json.gz"):
        s3.put_object(Bucket=BUCKET, Key=f"raw/weather/date=2026-11-20/{name}", Body=b"{}")
    before = stored(s3)
    ingest(s3)
    assert stored(s3) == before


def test_the_revision_after_9999_is_the_newest(api: Api, s3: Any, ingest: Any) -> None:
    for number in (9999, 10000):
        key = f"raw/weather/date=2026-11-20/paris_{number:04d}_0123456789abcdef.json"
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"{}")
    ingest(s3)
    ingest(s3)
    assert [each for each in revisions(s3) if "paris" in each] == ["paris_10000", "paris_10001", "paris_9999"]


@pytest.mark.parametrize(
    ("cities", "reason"),
    [
        ([{**CITIES[0], "latitude": float("nan")}], "latitude nan"),
        ([{**CITIES[0], "longitude": float("inf")}], "longitude inf"),
        ([{**CITIES[0], "latitude": "48.8566"}], "latitude '48.8566'"),
        ([{**CITIES[0], "latitude": True}], "latitude True"),
        ([{**CITIES[0], "latitude": 91}], "latitude 91"),
        ([{**CITIES[0], "longitude": -180.5}], "longitude -180.5"),
        ([{**CITIES[0], "longitude": 10**400}], "longitude 1000"),
        ([CITIES[0], {**CITIES[1], "name": "Paris"}], "name 'Paris' twice"),
        ([CITIES[1], {**CITIES[0], "name": "Brasi\u0301lia"}], "twice"),
        ([CITIES[0], {**CITIES[1], "key": "paris"}], "key 'paris' twice"),
        ([{**CITIES[0], "key": ""}], "key ''"),
        ([{**CITIES[0], "key": "paris/"}], "key 'paris/'"),
        ([{**CITIES[0], "key": "Paris"}], "key 'Paris'"),
        ([{**CITIES[0], "key": "paris_"}], "key 'paris_'"),
    ],
)
def test_cities_that_cannot_be_asked_for_or_told_apart_are_refused_by_name(
    function: Callable[[str], ModuleType], cities: Any, reason: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)) as refused:
        function("batch_ingest").Settings.load(environment(cities))
    assert cities[-1]["name"] in str(refused.value)


def test_one_failed_city_does_not_lose_the_others(api: Api, s3: Any, ingest: Any) -> None:
    api.script = [(400, {}, {"error": True, "reason": "Latitude must be in range"}), (200, {}, answer(CITIES[1]))]
    summary = ingest(s3)
    assert (summary["cities_processed"], summary["cities_failed"], summary["total_records"]) == (1, 1, 2)
    assert {record["city"] for lines in stored(s3).values() for record in lines} == {"Brasília"}
    assert summary["pauses"] == []


ODD: dict[str, dict[str, Any]] = {
    "units of null": {"hourly_units": None},
    "units as a list": {"hourly_units": []},
    "a unit that is a mapping": {"hourly_units": {"temperature_2m": {}}},
    "a unit that is a list": {"hourly_units": {"temperature_2m": []}},
    "a value of 400 digits": {"hourly": {"temperature_2m": [10**400, 1]}},
    "a place of 400 digits": {"latitude": 10**400},
    "an offset of 400 digits": {"utc_offset_seconds": 10**400},
    "an offset of years": {"utc_offset_seconds": 10**12},
    "an offset of two days": {"utc_offset_seconds": 200_000},
    "an offset that is true": {"utc_offset_seconds": True},
    "an offset of half a minute": {"utc_offset_seconds": 3630},
    "the first hour of all": {"hourly": {"time": ["0001-01-01T00:00", "0001-01-01T01:00"]}},
    "hours that are numbers": {"hourly": {"time": [1763596800, 1763600400]}},
    "hours that are lists": {"hourly": {"time": [[], {}]}},
    "a list for the hours' table": {"hourly": []},
    "an hour twice": {"hourly": {"time": ["2026-11-20T00:00", "2026-11-20T00:00"]}},
    "more hours than asked for": {
        "hourly": {
            "time": [f"2026-11-{day:02d}T{hour:02d}:00" for day in (20, 21) for hour in range(24)],
            **{
                name: [1.0] * 48
                for name in ("temperature_2m", "relative_humidity_2m", "wind_speed_10m", "precipitation")
            },
        }
    },
    "another offset in the hours": {"hourly": {"time": ["2026-11-25T00:00+10:00", "2026-11-25T01:00+10:00"]}},
    "UTC in the hours": {"hourly": {"time": ["2026-11-25T00:00Z", "2026-11-25T01:00Z"]}},
    "days": {"hourly": {"time": ["2026-11-20", "2026-11-21"]}},
    "quarters of an hour": {"hourly": {"time": ["2026-11-20T00:15", "2026-11-20T00:30"]}},
    "seconds": {"hourly": {"time": ["2026-11-20T00:00:01", "2026-11-20T00:00:59"]}},
    "weeks": {"hourly": {"time": ["2026-W47-5", "2026-W47-6"]}},
    "without hyphens": {"hourly": {"time": ["20261120T00", "20261120T01"]}},
    "digits of another script": {"hourly": {"time": ["2026-11-20T0٠:00", "2026-11-20T0١:00"]}},
}
BODIES = {
    "a hundred thousand brackets": b"[" * 100_000,
    "a hundred thousand objects": b'{"a":' * 100_000,
    "a number of 5000 digits": b'{"latitude": ' + b"1" * 5000 + b"}",
    "half a letter": b'{"hourly": {"time": ["\\ud800"]}, "latitude": 48.9, "longitude": 2.3}',
    "not UTF-8": b'{"latitude": "\xff"}',
}


@pytest.mark.parametrize("what", [*ODD, *BODIES])
def test_an_odd_answer_costs_its_own_city_only_and_the_log_says_which(
    api: Api, s3: Any, ingest: Any, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    body = BODIES.get(what) or answer(CITIES[0], **ODD.get(what, {}))
    api.script = [(200, {}, body), (200, {}, answer(CITIES[1]))]
    summary = ingest(s3)
    assert (summary["cities_processed"], summary["cities_failed"], summary["total_records"]) == (1, 1, 2)
    assert {record["city"] for lines in stored(s3).values() for record in lines} == {"Brasília"}
    (said,) = [vars(record) for record in caplog.records if record.message == "city failed"]
    assert said["reason"].startswith("Paris: ")
    assert len(said["reason"].encode()) < 500


def test_an_answer_that_nobody_has_thought_of_costs_its_own_city_only(
    api: Api, s3: Any, ingest: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys.modules["open_meteo"], "_check_place", lambda _answer, city: {"Brasília": 0}[city.name])
    assert (ingest(s3)["cities_failed"], len(stored(s3))) == (1, 2)
    (said,) = [vars(record) for record in caplog.records if record.message == "city failed"]
    assert said["reason"] == "Paris: answer cannot be used: KeyError('Paris')"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_passing_fault_is_tried_again_with_growing_pauses(api: Api, s3: Any, ingest: Any, status: int) -> None:
    fault: tuple[int, dict[str, str], bytes] = (status, {}, b"")
    api.script = [fault, fault, (200, {}, answer(CITIES[0])), (200, {}, answer(CITIES[1]))]
    summary = ingest(s3)
    assert summary["cities_failed"] == 0
    assert [int(pause) for pause in summary["pauses"]] == [1, 2]


def test_retry_after_is_honoured(api: Api, s3: Any, ingest: Any) -> None:
    api.script = [(429, {"Retry-After": "7"}, b""), (200, {}, answer(CITIES[0])), (200, {}, answer(CITIES[1]))]
    pauses = ingest(s3)["pauses"]
    assert [int(pause) for pause in pauses] == [7]


def test_attempts_are_bounded_and_a_pause_beyond_the_deadline_is_not_taken(api: Api, s3: Any, ingest: Any) -> None:
    api.script = [(503, {}, b"")]
    assert ingest(s3)["cities_failed"] == 2
    assert len(api.requests) == 10
    api.requests.clear()
    api.script = [(429, {"Retry-After": "3600"}, b"")]
    assert ingest(s3)["cities_failed"] == 2
    assert len(api.requests) == 2


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (302, {"Location": "http://127.0.0.1:1/"}, b""),
        (204, {}, b""),
        (200, {}, b""),
        (200, {}, b'{"hourly": '),
        (200, {"Content-Type": "text/html"}, b"<html>maintenance</html>"),
        (200, {}, []),
        (200, {}, {"error": True, "reason": "said with 200"}),
        (200, {}, answer(CITIES[0], latitude=40.0)),
        (200, {}, answer(CITIES[0], hourly={"temperature_2m": [6.5]})),
        (200, {}, answer(CITIES[0], hourly={"precipitation": None})),
        (200, {}, answer(CITIES[0], hourly={"temperature_2m": [6.5, "7"]})),
        (200, {}, answer(CITIES[0], hourly_units={"temperature_2m": "°F"})),
        (200, {}, answer(CITIES[0], hourly={"time": ["2026-11-20T00:00", "soon"]})),
        (200, {}, answer(CITIES[0], hourly={"time": []})),
        (200, {}, answer(CITIES[0], utc_offset_seconds=None)),
        (200, {}, b'{"pad": "' + b"a" * (5 * 1024 * 1024) + b'"}'),
        (200, {"Content-Encoding": "gzip"}, b"not gzip"),
    ],
    ids=[
        "redirect", "no content", "empty", "cut short", "a page", "a list", "an error with 200", "another place",
        "too few values", "no values", "text for a number", "another unit", "no time", "no hours", "no offset",
        "too large", "false encoding",
    ],
)  # fmt: skip
def test_an_answer_that_is_not_what_was_asked_for_stores_nothing(
    api: Api, s3: Any, ingest: Any, status: int, headers: dict[str, str], body: Any
) -> None:
    api.script = [(status, headers, body)]
    assert ingest(s3)["cities_failed"] == 2
    assert stored(s3) == {}


def test_the_invocation_fails_at_the_end_with_the_summary(
    api: Api, s3: Any, function: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = function("batch_ingest")
    for name, value in {"ENVIRONMENT": "test", "FORECAST_DAYS": "1", "CITIES": json.dumps(CITIES)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("WRITES", json.dumps({"raw_weather": f"s3://{BUCKET}/raw/weather/"}))
    api.script = [(400, {}, {"error": True}), (200, {}, answer(CITIES[1]))]
    with pytest.raises(module.IngestFailed) as failed:
        module.handler({}, invocation.context())
    assert json.loads(str(failed.value))["cities_failed"] == 1
    assert len(stored(s3)) == 2
