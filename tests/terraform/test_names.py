"""Names of all pipelines: none collides, none is longer than AWS takes, and two pipelines stand side by side."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from lake.environment.deployment import PROJECT
from scripts import roots
from tests.terraform.conftest import Resources, Run, pipeline_test, state_of

# Resource type => attribute that is its name, and how many characters AWS takes.
LIMITS = {
    "aws_cloudwatch_dashboard": ("dashboard_name", 255),
    "aws_cloudwatch_event_rule": ("name", 64),
    "aws_cloudwatch_log_group": ("name", 512),
    "aws_cloudwatch_metric_alarm": ("alarm_name", 255),
    "aws_glue_catalog_table": ("name", 255),
    "aws_glue_job": ("name", 255),
    "aws_iam_role": ("name", 64),
    "aws_kinesis_firehose_delivery_stream": ("name", 64),
    "aws_lambda_function": ("function_name", 64),
    "aws_s3_bucket": ("bucket", 63),
    "aws_scheduler_schedule": ("name", 64),
    "aws_ssm_parameter": ("name", 1011),
}
# The longest names of regions have as many characters.
LONGEST_REGION = "ap-southeast-1"


def names(resources: Resources) -> list[tuple[str, str]]:
    """Type and name of everything that has a name."""
    return [
        (kind, str(values[LIMITS[kind][0]]))
        for values in resources.values()
        if (kind := values["resource_type"]) in LIMITS
    ]


def twice(found: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [name for name, number in Counter(found).items() if number > 1]


def too_long(found: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The names that AWS would not take; the mocked project is `lake`, and prod is as long as test."""
    return [(kind, name) for kind, name in found if len(longest(name)) > LIMITS[kind][1]]


def longest(name: str) -> str:
    """The name in this project and, when it carries the region, in the region with the longest name."""
    return name.replace("lake", PROJECT, 1).replace("-eu-west-1-", f"-{LONGEST_REGION}-")


def test_no_name_is_given_twice(platform: Resources) -> None:
    assert twice(names(platform)) == []


def test_no_name_is_longer_than_aws_takes(platform: Resources) -> None:
    assert {kind for kind, _ in names(platform)} == set(LIMITS)
    assert too_long(names(platform)) == []


def test_a_bucket_carries_account_and_region_and_the_longest_has_room_to_the_last_character(
    platform: Resources,
) -> None:
    buckets = [name for kind, name in names(platform) if kind == "aws_s3_bucket"]
    assert sorted(buckets) == [
        f"lake-123456789012-eu-west-1-test-{what}" for what in ("code", "datalake", "logs", "results")
    ]
    assert max(len(longest(name)) for name in buckets) == 63
    state = roots.backend("123456789012")["bucket"].replace(roots.state_region(), LONGEST_REGION)
    assert len(state) <= 63


@pytest.fixture(scope="module")
def second(tree: Path, terraform: Run, platform: Resources, tmp_path_factory: pytest.TempPathFactory) -> Resources:
    """A second pipeline, made from the first: the same functions, jobs and alarms, datasets of its own."""
    copy = tmp_path_factory.mktemp("two") / "tree"
    shutil.copytree(tree, copy, ignore=shutil.ignore_patterns(".terraform"))
    for folder in ("contracts", "glue_jobs", "terraform/pipelines", "build/artifacts"):
        shutil.copytree(copy / folder / "weather_iot", copy / folder / "second_one")
    names = [path.stem.partition("_")[2] for path in (copy / "contracts/second_one").glob("*.yaml")]
    words = [*names, *(name.replace("_", "-") for name in names if "_" in name)]
    for path in (copy / "contracts/second_one").glob("*.yaml"):
        text = path.read_text().replace("weather_iot", "second_one")
        for word in words:
            text = text.replace(f"raw_{word}", f"raw_second_{word}").replace(
                f"curated_{word}", f"curated_second_{word}"
            )
            text = text.replace(f"raw/{word}", f"raw/second-{word}").replace(
                f"curated/{word}", f"curated/second-{word}"
            )
        path.unlink()
        kind, _, rest = path.name.partition("_")
        path.with_name(f"{kind}_second_{rest}").write_text(text)
    root = copy / "terraform/pipelines/second_one"
    for path in root.glob("*.tf"):
        text = path.read_text().replace("  named_without_pipeline = true\n", "")
        for word in names:
            text = text.replace(f"raw_{word}", f"raw_second_{word}").replace(
                f"curated_{word}", f"curated_second_{word}"
            )
        path.write_text(text)
    return state_of(pipeline_test(root, terraform, platform["aws_ssm_parameter.platform"]["value"]))


def test_two_pipelines_with_equally_named_parts_stand_side_by_side(platform: Resources, second: Resources) -> None:
    both = [*names(platform), *names(second)]
    assert twice(both) == []
    assert too_long(both) == []
    assert ("aws_glue_job", "lake-second-one-transform-test") in both
    assert ("aws_cloudwatch_metric_alarm", "lake-second-one-quarantine-ratio-test") in both
    objects = [
        v["key"] for found in (platform, second) for v in found.values() if v["resource_type"] == "aws_s3_object"
    ]
    assert [key for key, number in Counter(objects).items() if number > 1] == []


def test_a_second_pipeline_has_its_own_staging_its_own_keys_and_its_own_registration(second: Resources) -> None:
    (job,) = (v for v in second.values() if v.get("name") == "lake-second-one-transform-test" and "command" in v)
    assert (
        job["non_overridable_arguments"]["--staging"]
        == "s3://lake-123456789012-eu-west-1-test-datalake/staging/second_one/"
    )
    assert second["aws_ssm_parameter.pipeline"]["name"] == "/lake/lake/test/pipelines/second_one"
    policies = [json.loads(v["policy"]) for v in second.values() if v["resource_type"] == "aws_iam_role_policy"]
    text = json.dumps(policies)
    assert "dataset#curated_second_weather" in text
    assert "dataset#curated_weather" not in text
    assert "staging/weather_iot" not in text


def test_a_pipeline_with_a_syntax_error_keeps_no_other_root_from_its_turn(
    tree: Path, terraform: Run, tmp_path: Path
) -> None:
    copy = tmp_path / "tree"
    shutil.copytree(tree, copy, ignore=shutil.ignore_patterns(".terraform"))
    shutil.copytree(copy / "terraform/pipelines/weather_iot", copy / "terraform/pipelines/broken")
    (copy / "terraform/pipelines/broken/6_monitoring.tf").write_text('resource "broken\n')
    valid = {}
    for root in ("platform", "pipelines/weather_iot", "pipelines/broken"):
        folder = copy / "terraform" / root
        terraform(folder, "init", "-backend=false", "-input=false", "-no-color")
        valid[root] = terraform(folder, "validate", "-no-color").returncode
    assert valid == {"platform": 0, "pipelines/weather_iot": 0, "pipelines/broken": 1}
