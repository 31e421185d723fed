"""The Terraform that ``lake new pipeline`` writes: formatted, valid, with names that AWS takes, beside the others."""

import json
import shutil
from pathlib import Path

import pytest

from lake.maintenance import skeletons
from lake.maintenance.skeletons import Derived, Made
from tests.terraform.conftest import FIRST, REPOSITORY, Resources, Run, pipeline_test, state_of
from tests.terraform.test_names import names, too_long, twice

# As long as `lake new` lets it be.
NAME = "a_pipeline_of_room"


@pytest.fixture(scope="module")
def root(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a new pipeline, in a copy of the tree."""
    copy = tmp_path_factory.mktemp("skeleton") / "tree"
    shutil.copytree(tree, copy, ignore=shutil.ignore_patterns(".terraform"))
    skeletons.write(copy, skeletons.pipeline(REPOSITORY, NAME))
    return copy / "terraform/pipelines" / NAME


@pytest.fixture(scope="module")
def skeleton(root: Path, terraform: Run, platform: Resources) -> Resources:
    """What a mocked apply of it makes."""
    return state_of(pipeline_test(root, terraform, platform["aws_ssm_parameter.platform"]["value"]))


def test_it_is_formatted(root: Path, terraform: Run) -> None:
    assert terraform(root, "fmt", "-check", "-recursive").stdout == ""


def test_its_names_are_its_own_and_not_too_long(platform: Resources, skeleton: Resources) -> None:
    both = [*names(platform), *names(skeleton)]
    assert (twice(both), too_long(both)) == ([], [])
    assert ("aws_iam_role", "lake-a-pipeline-of-room-transform-test-schedule") in both


def test_it_has_a_job_a_schedule_and_alarms_for_old_data_and_failed_runs(skeleton: Resources) -> None:
    kinds = [values["resource_type"] for values in skeleton.values()]
    wanted = ("aws_glue_job", "aws_scheduler_schedule", "aws_cloudwatch_metric_alarm", "aws_cloudwatch_dashboard")
    assert {kind: kinds.count(kind) for kind in wanted} == {
        **dict.fromkeys(wanted, 1),
        "aws_glue_job": 2,
        "aws_cloudwatch_metric_alarm": 2,
    }


def test_a_new_dataset_of_subjects_is_made_and_erased_by_the_jobs_that_there_are(
    root: Path, terraform: Run, platform: Resources
) -> None:
    copy = root.parents[2]
    made = Made("city_readings", "raw_iot_sensors", ("sensor_id", "timestamp"), "timestamp")
    skeletons.write(copy, skeletons.curated_dataset(REPOSITORY, made))
    parameter = platform["aws_ssm_parameter.platform"]["value"]
    found = state_of(pipeline_test(copy / "terraform/pipelines" / FIRST, terraform, parameter))
    jobs = {values["name"]: values for values in found.values() if values["resource_type"] == "aws_glue_job"}
    written = {name: json.loads(job["non_overridable_arguments"]["--writes"]) for name, job in jobs.items()}
    tables = {"curated_city_readings", "quarantine_curated_city_readings"}
    assert {name for name, writes in written.items() if tables <= writes.keys()} == {
        "lake-transform-test",
        "lake-transform-repairs-test",
        "lake-erase-test",
    }
    assert "curated_weather" not in written["lake-erase-test"]
    registered = json.loads(found["aws_ssm_parameter.pipeline"]["value"])
    assert registered["repairs"]["curated_city_readings"] == "lake-transform-repairs-test"


def test_a_dataset_may_be_derived_from_one_of_another_pipeline(
    root: Path, terraform: Run, platform: Resources, tmp_path: Path
) -> None:
    copy = tmp_path / "tree"
    shutil.copytree(root.parents[2], copy, ignore=shutil.ignore_patterns(".terraform"))
    shutil.copytree(REPOSITORY / "templates", copy / "templates")
    derived = Derived("room_and_weather", (f"curated_{NAME}", "curated_weather"), ("id", "timestamp"), "timestamp")
    skeletons.write(copy, skeletons.derived_dataset(copy, derived))
    parameter = platform["aws_ssm_parameter.platform"]["value"]
    found = state_of(pipeline_test(copy / "terraform/pipelines" / NAME, terraform, parameter))
    jobs = [values for values in found.values() if values["resource_type"] == "aws_glue_job"]
    (job,) = (job for job in jobs if not job["name"].endswith("-repairs-test"))
    reads, writes = (json.loads(job["non_overridable_arguments"][name]) for name in ("--reads", "--writes"))
    lake = "lake-123456789012-eu-west-1-test-datalake"
    assert reads["curated_weather"] == f"s3://{lake}/curated/weather/"
    assert (f"curated_{NAME}" in reads, "curated_room_and_weather" in writes) == (False, True)
    policies = [v["policy"] for v in found.values() if v["resource_type"] == "aws_iam_role_policy"]
    (policy,) = (policy for policy in policies if "ReadCode" in policy)
    (read,) = (each for each in json.loads(policy)["Statement"] if each["Sid"] == "ReadObjects")
    assert f"arn:aws:s3:::{lake}/curated/weather/*" in read["Resource"]
    (write,) = (each for each in json.loads(policy)["Statement"] if each["Sid"] == "WriteObjects")
    assert f"arn:aws:s3:::{lake}/curated/weather/*" not in write["Resource"]
