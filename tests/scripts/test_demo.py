"""`make demo`: what a pipeline does in it is found by folder, and works on what the pipeline has registered."""

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lake.environment.deployment import NotOne, Platform
from scripts import roots
from scripts.demo import catalogue, flow
from scripts.demo import pipeline as demo_pipeline
from scripts.demo.pipeline import DemoFailed, Pipeline

REGISTERED = {
    "one": {"functions": {"ingest": "project-ingest-dev"}, "jobs": {"load": "project-load-dev"}},
    "two": {"functions": {"ingest": "project-two-ingest-dev"}},
}


def pipeline(name: str = "one", said: Callable[[str], None] = lambda _text: None, **calls: Any) -> Pipeline:
    """A pipeline of two that are deployed; ``calls`` are those that AWS answers."""
    session = SimpleNamespace(client=lambda _service, **_options: SimpleNamespace(**calls))
    return Pipeline(Platform("dev", {"lake_bucket": "lake"}, session, REGISTERED), name, said)


def invoked(**answer: Any) -> Callable[..., dict[str, Any]]:
    """A Lambda that answers with its own name, the event, and more."""

    def invoke(FunctionName: str, Qualifier: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803 - boto3 spells it so
        called = {"function": FunctionName, "version": Qualifier, "event": json.loads(Payload)}
        body = json.dumps({**called, "errorMessage": "why"}).encode()
        return {"Payload": BytesIO(body), **answer}

    return invoke


def glue(*states: str) -> dict[str, Any]:
    """A Glue in which a run has these states, one after the other."""
    runs = iter([{"JobRun": {"JobRunState": state, "ExecutionTime": 7, "ErrorMessage": "why"}} for state in states])
    return {"start_job_run": lambda JobName: {"JobRunId": JobName}, "get_job_run": lambda **_run: next(runs)}  # noqa: N803 - as boto3 has it


def test_every_demo_belongs_to_a_pipeline_and_has_steps() -> None:
    names = {path.stem for path in catalogue.FOLDER.glob("*.py")} - {"__init__"}
    assert names
    assert names - set(roots.pipelines()) == set()
    assert [name for name in names if not catalogue.demo(name).steps] == []


def test_a_pipeline_without_a_module_does_nothing_by_itself() -> None:
    demo = catalogue.demo("without_a_module")
    assert (demo.steps, demo.questions) == ((), {})


def test_a_module_is_found_by_the_name_of_its_pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "demos_of_a_test"
    folder.mkdir()
    (folder / "orders.py").write_text('QUESTIONS = {"How many": "SELECT 1"}\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(catalogue, "FOLDER", folder)
    demo = catalogue.demo("orders")
    assert (demo.steps, demo.questions) == ((), {"How many": "SELECT 1"})


@pytest.mark.parametrize(("name", "function"), [("one", "project-ingest-dev"), ("two", "project-two-ingest-dev")])
def test_a_function_is_the_one_of_the_pipeline(name: str, function: str) -> None:
    answer = pipeline(name, invoke=invoked()).invoke("ingest", {"day": 1})
    assert (answer["function"], answer["version"], answer["event"]) == (function, "live", {"day": 1})


def test_a_function_that_fails_ends_the_demo_with_its_message() -> None:
    with pytest.raises(DemoFailed, match="project-ingest-dev failed: why"):
        pipeline(invoke=invoked(FunctionError="Unhandled")).invoke("ingest", {})


def test_what_is_not_deployed_ends_the_demo_with_what_is() -> None:
    with pytest.raises(NotOne, match=r"no jobs called load of two .*; deployed jobs: load of one"):
        pipeline("two").run_job("load")


def test_a_job_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_pipeline, "POLL_SECONDS", 0)
    said: list[str] = []
    assert pipeline("one", said.append, **glue("STARTING", "RUNNING", "SUCCEEDED")).run_job("load") == 7
    assert said == ["STARTING", "RUNNING"]
    with pytest.raises(DemoFailed, match="the run of project-load-dev ended TIMEOUT: why"):
        pipeline(**glue("TIMEOUT")).run_job("load")


@pytest.mark.parametrize("status", [412, 403])
def test_an_object_that_is_there_is_left_alone_and_any_other_error_is_one(status: int) -> None:
    def put_object(**_object: Any) -> None:
        answer: Any = {"Error": {"Code": "x"}, "ResponseMetadata": {"HTTPStatusCode": status}}
        raise ClientError(answer, "PutObject")

    there = pipeline(put_object=put_object)
    if status == 412:
        there.put_once("raw/a.json", "{}")
    else:
        with pytest.raises(ClientError):
            there.put_once("raw/a.json", "{}")


def test_the_datasets_are_those_of_the_chosen_pipelines_with_their_quarantines_last() -> None:
    found = [dataset.name for dataset in flow.datasets(["weather_iot"])]
    assert found[:4] == ["raw_iot_sensors", "raw_weather", "curated_sensor_readings", "curated_weather"]
    assert found[4:] == [
        "curated_city_hours", "quarantine_curated_sensor_readings", "quarantine_curated_weather",
    ]  # fmt: skip
    assert flow.datasets(["another"]) == []


def test_a_question_without_rows_ends_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    there = pipeline().platform
    rows = {"SELECT 1": [("1",)], "SELECT 2": []}
    monkeypatch.setattr(
        flow, "_ask", lambda _platform, sql: SimpleNamespace(columns=["n"], rows=rows[sql], bytes_scanned=5)
    )
    assert flow.answers(there, {"One": "SELECT 1"}) == {"One": {"columns": ["n"], "rows": [("1",)], "bytes_scanned": 5}}
    with pytest.raises(DemoFailed, match="no rows for: Two"):
        flow.answers(there, {"One": "SELECT 1", "Two": "SELECT 2"})
