"""batch_ingest against an HTTP server that plays the API, and S3 in memory."""

import json
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
    {"name": "Paris", "latitude": 48.8566, "longitude": 2.3522},
    {"name": "Brasília", "latitude": -15.7801, "longitude": -47.9292},
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
    settings = module.Settings.load(
        {
            "WRITES": json.dumps({"raw_weather": f"s3://{BUCKET}/raw/weather/"}),
            "CITIES": json.dumps(CITIES),
            "ENVIRONMENT": "test",
            "FORECAST_DAYS": "1",
        }
    )

    def invoke(client: Any, seconds: float = 60.0) -> dict[str, Any]:
        summary: dict[str, Any] = module.ingest(settings, client, time.monotonic() + seconds, NOW)
        return {**summary, "pauses": list(pauses)}

    return invoke


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


def test_one_failed_city_does_not_lose_the_others(api: Api, s3: Any, ingest: Any) -> None:
    api.script = [(400, {}, {"error": True, "reason": "Latitude must be in range"}), (200, {}, answer(CITIES[1]))]
    summary = ingest(s3)
    assert (summary["cities_processed"], summary["cities_failed"], summary["total_records"]) == (1, 1, 2)
    assert {record["city"] for lines in stored(s3).values() for record in lines} == {"Brasília"}
    assert summary["pauses"] == []


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
