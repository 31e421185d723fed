"""The replay of Open-Meteo answers as the API does, from what was recorded."""

import datetime
import http.client
import json
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localaws.client import LocalAws
from simulators.weather_iot.open_meteo import replay

pytestmark = pytest.mark.component
CITIES = {
    "melbourne": (-37.8136, 144.9631),
    "adelaide": (-34.9285, 138.6007),
    "kathmandu": (27.7172, 85.3240),
    "paris": (48.8566, 2.3522),
    "brasilia": (-15.7801, -47.9292),
}
AHEAD = datetime.timedelta(0)
ASKED = "temperature_2m,relative_humidity_2m,wind_speed_10m,precipitation"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    yield replay.start(lambda: AHEAD)
    replay.stop()


@pytest.fixture(autouse=True)
def no_faults() -> Iterator[None]:
    yield
    replay.set_faults([])


def ask(address: str, city: str = "melbourne", **more: Any) -> tuple[int, Any]:
    latitude, longitude = CITIES[city]
    given = {"latitude": latitude, "longitude": longitude, "hourly": ASKED, **more}
    query = "&".join(f"{name}={value}" for name, value in given.items())
    try:
        with urllib.request.urlopen(f"{address}/v1/forecast?{query}") as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def recorded(name: str) -> Any:
    (file,) = replay.RECORDINGS.glob(f"{name}*.json")
    return json.loads(file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("city", CITIES)
def test_every_recorded_value_comes_back_unchanged(address: str, city: str) -> None:
    status, answer = ask(address, city)
    expected = recorded(city)
    assert status == 200
    for name in ("latitude", "longitude", "utc_offset_seconds", "timezone", "elevation"):
        assert answer[name] == expected[name]
    for name in {"time", *ASKED.split(",")} & expected["hourly"].keys():
        assert answer["hourly"][name] == expected["hourly"][name]
        assert answer["hourly_units"][name] == expected["hourly_units"][name]


def test_a_variable_that_was_not_recorded_is_nulls_in_the_default_unit(address: str) -> None:
    _, answer = ask(address, "paris")
    assert answer["hourly"]["precipitation"] == [None] * 168
    assert answer["hourly_units"]["precipitation"] == "mm"


def test_the_answer_holds_what_was_asked_for_and_no_more(address: str) -> None:
    _, answer = ask(address, "melbourne", hourly="uv_index")
    assert list(answer["hourly"]) == ["time", "uv_index"]
    assert "current" not in answer and "daily" not in answer


@pytest.mark.parametrize(("days", "hours"), [(1, 24), (2, 48), (7, 168), (16, 168)])
def test_forecast_days_are_the_first_days_of_the_recording(address: str, days: int, hours: int) -> None:
    _, answer = ask(address, forecast_days=days)
    assert answer["hourly"]["time"] == recorded("melbourne")["hourly"]["time"][:hours]


# A day's simulation takes its minutes, which the clock counts too: who asks every 24 hours asks a bit less ahead.
@pytest.mark.parametrize("ahead", [datetime.timedelta(days=20, hours=11), datetime.timedelta(days=19, hours=23)])
def test_the_days_move_on_with_the_clock_and_nothing_else_does(
    monkeypatch: pytest.MonkeyPatch, address: str, ahead: datetime.timedelta
) -> None:
    before = ask(address, "kathmandu")[1]
    monkeypatch.setattr(replay, "_advanced", lambda: ahead)
    after = ask(address, "kathmandu")[1]
    assert (before["hourly"]["time"][0], after["hourly"]["time"][0]) == ("2026-08-12T00:00", "2026-09-01T00:00")
    assert len(set(after["hourly"]["time"])) == len(before["hourly"]["time"])
    del before["hourly"]["time"], after["hourly"]["time"], before["generationtime_ms"], after["generationtime_ms"]
    assert before == after


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"latitude": 0, "longitude": 0}, "localaws has no recording within 0.25 degrees of 0.0, 0.0"),
        ({"latitude": 91}, "Latitude must be in range of -90 to 90°. Given: 91.0."),
        ({"latitude": "north"}, "Value 'north' of parameter 'latitude' is no number"),
        ({"forecast_days": 17}, "Forecast days is invalid. Allowed range 0 to 16. Given 17."),
        ({"hourly": "lksdfj"}, "from invalid String value lksdfj for key "),
        (
            {"temperature_unit": "asd"},
            "Cannot initialize TemperatureUnit from invalid String value asd for key temperature_unit",
        ),
    ],
)
def test_a_bad_request_is_answered_in_the_words_of_the_api(address: str, wrong: dict[str, Any], reason: str) -> None:
    status, answer = ask(address, **wrong)
    assert (status, answer["error"]) == (400, True)
    assert reason in answer["reason"]


def test_a_fault_hits_as_many_requests_as_it_says_and_only_those_that_match(address: str) -> None:
    slow_down = {"error": True, "reason": "Minutely API request limit exceeded. Please try again in one minute."}
    fault = {"status": 429, "body": json.dumps(slow_down), "times": 2, "match": "latitude=48.8566"}
    replay.set_faults([fault])
    answers = [ask(address, city)[0] for city in ("melbourne", "paris", "paris", "paris")]
    assert answers == [200, 429, 429, 200]


def test_a_slow_answer_shows_that_it_is_waited_for(address: str) -> None:
    replay.set_faults([{"delay_seconds": 1, "times": 0}])
    thread = threading.Thread(target=ask, args=(address,))
    thread.start()
    while not hits():
        assert thread.is_alive()
    assert thread.is_alive()
    thread.join()
    assert hits() == 1


def hits() -> int:
    return int(replay.faults()[0]["hits"])


def test_a_fault_can_carry_headers_and_a_body_that_is_no_json(address: str) -> None:
    replay.set_faults([{"status": 503, "body": "<html>", "headers": {"Retry-After": "7"}}])
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{address}/v1/forecast?latitude=1&longitude=1")
    assert (caught.value.code, caught.value.headers["Retry-After"], caught.value.read()) == (503, "7", b"<html>")


@pytest.mark.parametrize("fault", [{"close_mid_body": True}, {"close": True}])
def test_a_connection_can_die(address: str, fault: dict[str, Any]) -> None:
    replay.set_faults([fault])
    with pytest.raises((OSError, http.client.HTTPException)):
        ask(address)


def test_a_fault_with_an_unknown_word_is_refused() -> None:
    with pytest.raises(TypeError, match="statsu"):
        replay.set_faults([{"statsu": 500}])


def test_only_the_functions_that_ask_the_api_get_its_address(address: str) -> None:
    given = [replay.environment({"FunctionName": f"lake-{name}-dev"}) for name in ("batch-ingest", "stream-generate")]
    assert given == [{"OPEN_METEO_URL": address}, {}]


def test_faults_are_set_shown_and_taken_back_by_command(aws: LocalAws) -> None:
    def command(*words: str) -> "subprocess.CompletedProcess[str]":
        arguments = [sys.executable, "-m", "localaws", "faults", "open_meteo", *words]
        return subprocess.run(arguments, env=aws.process_environment(), capture_output=True, text=True, check=False)

    assert command().stdout == "[]\n"
    assert '"status": 503' in command('[{"status":503}]').stdout
    assert '"status": 503' in command().stdout
    assert command("[]").stdout == "[]\n"
    wrong = command('[{"statuss":503}]')
    assert (wrong.returncode, wrong.stderr[:10], "Traceback" in wrong.stderr) == (1, "localaws: ", False)


def test_the_source_names_every_recording_and_the_attribution() -> None:
    for folder in (replay.RECORDINGS, Path(__file__).parent / "recordings"):
        source = (folder / "SOURCE.md").read_text(encoding="utf-8")
        assert "Weather data by [Open-Meteo.com](https://open-meteo.com/)" in source and "CC BY 4.0" in source
    names = (replay.RECORDINGS / "SOURCE.md").read_text(encoding="utf-8")
    assert [file.name for file in replay.RECORDINGS.glob("*.json") if file.name not in names] == []
