"""``lake new``: names that AWS takes, files that pass the checks, nothing overwritten."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from lake.cli import new
from lake.cli.erase import also_of
from lake.contract import model
from lake.maintenance import skeletons
from lake.maintenance.skeletons import Derived, Made, NoSkeleton
from tests.local_aws import REPOSITORY

LONGEST = "a_pipeline_of_room"
HOURS = Made("city_weather", "raw_weather", ("city", "timestamp"), "timestamp")


def parsed(files: dict[str, str], dataset: str) -> model.Contract:
    """The contract of a dataset among files."""
    (text,) = (text for path, text in files.items() if path.endswith(f"/{dataset}.yaml"))
    return model.parse(yaml.safe_load(text), dataset)


@pytest.mark.parametrize(
    "name", ["Orders", "1st", "or-ders", "or ders", "_orders", "orders_", "or__ders", "", "import", "ö"]
)
def test_a_name_that_no_resource_can_have_is_refused(name: str) -> None:
    with pytest.raises(NoSkeleton, match="cannot be a pipeline"):
        skeletons.check_name("pipeline", name)


def test_the_longest_name_is_the_longest_that_aws_takes() -> None:
    skeletons.check_name("pipeline", LONGEST)
    with pytest.raises(
        NoSkeleton, match=r"a pipeline at most 18: the IAM role aws-.*-schedule would be longer than the 64"
    ):
        skeletons.check_name("pipeline", f"{LONGEST}s")
    with pytest.raises(NoSkeleton, match="a dataset at most 236"):
        skeletons.check_name("dataset", "a" * 238)


def test_a_dataset_is_named_without_its_layer() -> None:
    with pytest.raises(NoSkeleton, match="'curated_hours' names its layer; give the rest: hours"):
        skeletons.check_name("dataset", "curated_hours")


@pytest.mark.parametrize("name", ["weather_iot", "platform", "lake"])
def test_a_pipeline_with_a_name_that_is_taken_is_refused(name: str) -> None:
    with pytest.raises(NoSkeleton, match=f"'{name}' is taken"):
        skeletons.pipeline(REPOSITORY, name)


def test_a_dataset_of_a_name_that_another_one_has_is_refused() -> None:
    with pytest.raises(
        NoSkeleton, match=r"there is a dataset raw_weather already: contracts/weather_iot/raw_weather.yaml"
    ):
        skeletons.pipeline(REPOSITORY, "weather")


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (Made("x", "raw_wether", ("city", "timestamp"), "timestamp"), "no dataset raw_wether; there are .*raw_weather"),
        (Made("x", "raw_weather", ("town", "timestamp"), "timestamp"), "raw_weather has no column town; it has .*city"),
        (Made("x", "raw_weather", ("city",), "timestamp"), "part of the key"),
        (Made("x", "raw_weather", ("city", "latitude"), "latitude"), "latitude is no moment: its type is double"),
    ],
)
def test_a_dataset_that_cannot_be_made_is_an_error_that_says_what_can(made: Made, why: str) -> None:
    with pytest.raises(NoSkeleton, match=why):
        skeletons.curated_dataset(REPOSITORY, made)


def test_a_curated_dataset_has_the_columns_of_its_source_and_its_key() -> None:
    contract = parsed(skeletons.curated_dataset(REPOSITORY, HOURS), "curated_city_weather")
    source = model.load("raw_weather")
    named = [column.name for column in contract.columns]
    assert named[: len(source.stored)] == [column.name for column in source.stored]
    assert ([column.name for column in contract.key], contract.publish_granularity) == (
        ["city", "timestamp"],
        {"date": "timestamp"},
    )
    assert (contract.source, contract.domain, contract.freshness_seconds) == ("raw_weather", "weather_iot", None)


def test_what_is_confidential_in_raw_is_a_token() -> None:
    made = Made("city_readings", "raw_iot_sensors", ("sensor_id", "timestamp"), "timestamp")
    contract = parsed(skeletons.curated_dataset(REPOSITORY, made), "curated_city_readings")
    assert [column.stored_name for column in contract.encrypted] == ["sensor_id_hash"]


def test_a_raw_dataset_can_be_the_source_of_a_curated_one() -> None:
    contract = parsed(skeletons.raw_dataset(REPOSITORY, "weather_iot", "tides"), "raw_tides")
    assert (contract.path, contract.source, [c.name for c in contract.partitions]) == ("raw/tides", None, ["date"])
    with pytest.raises(NoSkeleton, match=r"no pipeline elsewhere; there are .*weather_iot"):
        skeletons.raw_dataset(REPOSITORY, "elsewhere", "tides")


@pytest.mark.parametrize("name", ["a", LONGEST])
def test_what_is_written_has_the_format_of_the_house(tmp_path: Path, name: str) -> None:
    written = skeletons.write(tmp_path, skeletons.pipeline(REPOSITORY, name))
    assert len(written) > 20
    assert [path for path in written if "NAME" in path or path.endswith(".jinja")] == []
    shutil.copy2(REPOSITORY / "pyproject.toml", tmp_path)
    for command in (["format", "--check"], ["check"]):
        ruff = [str(Path(sys.executable).parent / "ruff"), *command, "--no-cache", "."]
        done = subprocess.run(ruff, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_nothing_is_overwritten_and_then_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("mine")
    with pytest.raises(NoSkeleton, match="nothing was written: b would be overwritten"):
        skeletons.write(tmp_path, {"a": "new", "b": "new"})
    assert ([path.name for path in tmp_path.iterdir()], (tmp_path / "b").read_text()) == (["b"], "mine")


def test_outside_a_checkout_it_says_where_to_go(tmp_path: Path) -> None:
    assert skeletons.checkout(REPOSITORY / "lake" / "cli") == REPOSITORY
    with pytest.raises(NoSkeleton, match="is not in a checkout"):
        skeletons.checkout(tmp_path)


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_the_command_says_what_it_wrote_and_what_to_type_next(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(skeletons, "checkout", lambda _here: REPOSITORY)
    write = skeletons.write
    monkeypatch.setattr(skeletons, "write", lambda _root, files: write(tmp_path, files))
    words = ["dataset", "city_weather", "--source", "raw_weather", "--key", "city,timestamp", *options]
    said = CliRunner().invoke(new.group, words).stdout
    path = "contracts/weather_iot/curated_city_weather.yaml"
    assert (tmp_path / path).is_file()
    if options:
        answer = json.loads(said)
        assert (answer["files"], answer["next"][0]) == ([path], "make docs")
    else:
        assert said.splitlines()[0] == path
        assert "  make job JOB=transform PIPELINE=weather_iot" in said.splitlines()


def test_what_is_not_given_is_asked_for() -> None:
    failed = CliRunner().invoke(new.group, ["dataset", "city_weather", "--source", "raw_weather"])
    assert "this needs --key" in str(failed.exception)


def test_an_erasure_names_the_other_datasets_that_are_made_of_the_subjects_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Made("city_readings", "raw_iot_sensors", ("sensor_id", "timestamp"), "timestamp")
    (path,) = skeletons.write(tmp_path, skeletons.curated_dataset(REPOSITORY, made))
    known = model.files()
    monkeypatch.setattr(model, "files", lambda: [*known, tmp_path / path])
    assert also_of(model.load("curated_sensor_readings")) == ["curated_city_readings"]
    assert also_of(model.load("curated_weather")) == []


ROWS = Derived("weather_rows", ("curated_weather",), ("city", "timestamp"), "timestamp")


def test_a_derived_dataset_has_the_key_of_its_first_input_and_a_function_that_makes_its_columns() -> None:
    contract = parsed(skeletons.derived_dataset(REPOSITORY, ROWS), "curated_weather_rows")
    assert (contract.inputs, contract.domain, contract.has_quarantine) == (("curated_weather",), "weather_iot", False)
    assert [column.name for column in contract.stored] == ["city", "timestamp", "number", "run_id"]
    function = skeletons.function_of(ROWS)
    assert function.startswith("def weather_rows(curated_weather: DataFrame) -> DataFrame:")
    compile(function, "transform.py", "exec")


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (Derived("x", ("raw_weather",), ("city",), "city"), "can be derived from .*curated_weather"),
        (Derived("x", ("curated_wether",), ("city",), "city"), "the inputs are curated_wether; a dataset can be der"),
        (Derived("x", ("curated_weather",), ("town",), "town"), "curated_weather has no column town; it has city"),
        (Derived("x", ("curated_weather",), ("city",), "timestamp"), "part of the key"),
        (Derived("x", ("curated_weather",), ("city",), "city"), "city is no moment: its type is string"),
    ],
)
def test_a_derived_dataset_that_cannot_be_made_is_an_error_that_says_what_can(made: Derived, why: str) -> None:
    with pytest.raises(NoSkeleton, match=why):
        skeletons.derived_dataset(REPOSITORY, made)


def test_the_command_prints_the_function_that_the_job_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skeletons, "checkout", lambda _here: REPOSITORY)
    monkeypatch.setattr(skeletons, "write", lambda _root, files: sorted(files))
    words = ["dataset", "weather_rows", "--inputs", "curated_weather", "--key", "city,timestamp"]
    said = CliRunner().invoke(new.group, words).stdout
    assert '"curated_weather_rows": weather_rows to its run_each' in said
    assert said.endswith(f"\n\n{skeletons.function_of(ROWS)}\n")
    assert json.loads(CliRunner().invoke(new.group, [*words, "--json"]).stdout)["function"] == skeletons.function_of(
        ROWS
    )
