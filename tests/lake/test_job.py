"""The datasets of a job: those that it writes and whose contract names a source, whether or not its script does."""

from typing import Any

import pytest

from lake.core.errors import ContractError
from lake.operations.job import Job, JobFailed, JobRequest
from lake.operations.registry import DatasetJob, DerivedJob

WRITTEN = (
    "curated_sensor_readings", "curated_weather", "pipeline_runs", "quarantine_curated_sensor_readings",
    "quarantine_curated_weather",
)  # fmt: skip
NO_CONTEXT: Any = None


def changed_rows(_raw: Any) -> Any:
    """A transformation whose rows are a word."""
    return "changed"


class Recorder(Job):
    """A job that only notes which dataset would be made with which transformation."""

    def __init__(self, *written: str, request: JobRequest | None = None) -> None:
        super().__init__(NO_CONTEXT, request or JobRequest(), written)
        self.seen: list[tuple[str, Any]] = []

    def run(self, dataset_job: DatasetJob | DerivedJob) -> None:
        made = dataset_job.transformation(NO_CONTEXT) if isinstance(dataset_job, DatasetJob) else dataset_job.derivation
        self.seen.append((dataset_job.target.name, made))


def test_quarantine_tables_and_tables_without_a_source_are_not_made_from_anything() -> None:
    assert Recorder(*WRITTEN).datasets() == ["curated_sensor_readings", "curated_weather"]


def test_those_with_a_transformation_come_first_and_the_others_keep_their_fields() -> None:
    job = Recorder(*WRITTEN)
    job.run_each({"curated_weather": changed_rows})
    assert job.seen == [("curated_weather", "changed"), ("curated_sensor_readings", None)]


def test_a_transformation_of_what_the_job_does_not_make_is_an_error_that_says_what_it_makes() -> None:
    with pytest.raises(ContractError, match=r"of curated_wether; it makes curated_sensor_readings, curated_weather"):
        Recorder(*WRITTEN).run_each({"curated_wether": lambda raw: raw})


def city_hours(curated_weather: Any, curated_sensor_readings: Any) -> Any:
    return curated_weather, curated_sensor_readings


def test_a_derived_dataset_comes_after_its_inputs_wherever_it_stands() -> None:
    job = Recorder("curated_city_hours", *WRITTEN)
    job.run_each({"curated_city_hours": city_hours, "curated_weather": changed_rows})
    assert [name for name, _ in job.seen] == ["curated_weather", "curated_sensor_readings", "curated_city_hours"]
    assert job.seen[-1] == ("curated_city_hours", city_hours)


def test_a_derived_dataset_needs_a_function() -> None:
    job = Recorder("curated_city_hours", *WRITTEN)
    job.run_each({})
    assert sorted(dict(job.seen)) == ["curated_sensor_readings", "curated_weather"], "the others go on"
    with pytest.raises(JobFailed, match="derived from curated_weather, curated_sensor_readings: the job has no func"):
        job.finish()


def test_a_function_that_takes_other_names_is_refused_before_it_runs() -> None:
    job = Recorder("curated_city_hours", *WRITTEN)
    job.run_each({"curated_city_hours": lambda raw: raw})
    assert "curated_city_hours" not in dict(job.seen)
    with pytest.raises(JobFailed, match="its function takes raw; the contract's inputs are curated_weather, curated_s"):
        job.finish()


def test_what_fails_beside_the_dataset_that_was_asked_for_is_nothing_to_its_operation() -> None:
    job = Recorder("curated_city_hours", *WRITTEN, request=JobRequest("undo", {"dataset": "curated_weather"}))
    job.run_each({})
    job._done["curated_weather"] = []
    job.finish()
