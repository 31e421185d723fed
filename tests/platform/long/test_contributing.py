"""CONTRIBUTING.md, followed to the letter in a copy of the repository: a dataset and a pipeline come, work, and go."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from drills.runbook import Runbook
from tests.docs.test_readme import tracked
from tests.local_aws import REPOSITORY, LocalAws
from tests.pipelines.deployment import Deployed, Played, restored_after

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        shutil.which("aws") is None, reason="CONTRIBUTING.md is written for people who have the AWS CLI"
    ),
]
# Each chapter has a lake of its own, so they need not be in one shard.
of_dataset, of_pipeline = pytest.mark.group("dataset"), pytest.mark.group("pipeline")
PAGE = "CONTRIBUTING.md"
BLOCKS = Runbook({PAGE: (REPOSITORY / PAGE).read_text(encoding="utf-8")}).blocks
# What the set-up has installed; the copy has folders of its own, so that a set-up in it changes nothing here.
INSTALLED = (".venv", ".venv-glue", ".venv-checks")
DATASET = ["?? contracts/weather_iot/curated_city_weather.yaml", "?? docs/datasets/curated_city_weather.md"]
PIPELINE = {
    "contracts/orders/": 2, "demos/orders.py": 1, "docs/datasets/": 2, "docs/runbooks/orders.md": 1,
    "drills/orders/": 4, "glue_jobs/orders/": 1, "terraform/pipelines/orders/": 12, "tests/pipelines/orders/": 3,
}  # fmt: skip
REPORTED = """
import json
from lake.environment import deployment, usage
from lake.report import gather

platform = deployment.load("dev")
report = gather.report(platform)
print(json.dumps({
    "nodes": [node.name for node in report.flow.value.nodes],
    "datasets": [dataset.name for dataset in report.state.datasets.value],
    "used": [line.usage.what for line in report.cost.value.lines],
    "pipelines": sorted(platform.pipelines),
    "dashboards": [of.get("dashboard") for of in platform.pipelines.values()],
}))
"""


@dataclass
class Copy:
    """A copy of the repository with a lake of its own; ``said`` has what each block has printed."""

    folder: Path
    aws: LocalAws
    said: dict[str, str] = field(default_factory=dict)

    def follow(self, block: str) -> str:
        """Run a block as it stands, after the one with which each begins; what it prints."""
        if block not in self.said:
            self.said[block] = self.command("bash", "-euo", "pipefail", "-c", f"{BLOCKS['start']}\n{BLOCKS[block]}")
        return self.said[block]

    def command(self, *command: str) -> str:
        """Run a command in the copy, as somebody who works there; it must succeed."""
        done = subprocess.run(
            command, cwd=self.folder, env=self._environment(), capture_output=True, text=True, check=False, timeout=3600
        )
        assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    def status(self) -> list[str]:
        """The files that git sees as new, changed or gone."""
        return self.command("git", "status", "--short", "--untracked-files=all").splitlines()

    def reported(self) -> dict[str, list[str]]:
        """What `lake report` and others gather of the lake."""
        return dict(json.loads(self.command(".venv/bin/python", "-c", REPORTED)))

    def _environment(self) -> dict[str, str]:
        unwanted = ("TF_VAR_", "PYTEST_", "MAKE")
        kept = {k: v for k, v in self.aws.process_environment().items() if not k.startswith(unwanted)}
        # The commands of the installation belong to this checkout; this lets them work on the copy.
        own = {"PYTHONPATH": f"{self.folder}{os.pathsep}{self.folder / 'localaws/src'}"}
        # Other tests run beside this one: its own have one process together.
        own["PARALLEL"] = "1"
        return {**kept, **own, "TF_DATA_DIR": str(self.folder.parent / "terraform")}


def copied(folder: Path) -> None:
    """The files that git tracks, as they are here now, in a repository of their own, ready to be worked in."""
    for path in tracked():
        if (REPOSITORY / path).is_file():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / path, folder / path)
    (folder / ".cache").symlink_to(REPOSITORY / ".cache")
    for name in INSTALLED:
        (folder / name).mkdir()
        for part in (REPOSITORY / name).iterdir():
            if part.name == "requirements.txt":  # written when it is set up anew
                shutil.copy2(part, folder / name)
            else:
                (folder / name / part.name).symlink_to(part)
    for command in ("init --quiet", "add --all", "-c user.name=a -c user.email=a@b commit --quiet --message=copy"):
        subprocess.run(["git", *command.split()], cwd=folder, check=True)


@dataclass(frozen=True)
class Story:
    """What a chapter of the page has left: what was printed, what git says before and after the removal, what the lake
    reports, and what AWS has at the end."""

    said: dict[str, str]
    status: list[str]
    reported: dict[str, list[str]]
    removed: list[str]
    left: dict[str, list[str]]


def _demo(deployed: Deployed) -> dict[str, Any]:
    done = deployed.command(sys.executable, "-m", "scripts.demo")
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return {}


DEMO = Played("demo", tuple(REPOSITORY / name for name in ("demos", "lake", "simulators", "localaws/src")), _demo)


@contextmanager
def told(chapter: str, folder: Path) -> Iterator[Story]:
    """A chapter of the page, from the first block to the last, on the lake that the demo has left."""
    copied(folder / "copy")
    with restored_after(DEMO, folder) as (deployed, _):
        copy = Copy(folder / "copy", deployed)
        *done, remove = (block for block in BLOCKS if block.startswith(f"{chapter}."))
        for block in done:
            copy.follow(block)
        status, reported = copy.status(), copy.reported()
        copy.follow(remove)
        yield Story(copy.said, status, reported, copy.status(), _left(deployed))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with told("dataset", tmp_path_factory.mktemp("dataset")) as story:
        yield story


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with told("pipeline", tmp_path_factory.mktemp("pipeline")) as story:
        yield story


def _left(aws: LocalAws) -> dict[str, list[str]]:
    """What AWS still has of what was removed: names of parameters, tables, objects."""
    parameters = aws.client("ssm").get_parameters_by_path(Path="/lake", Recursive=True)["Parameters"]
    names = json.loads(aws.client("ssm").get_parameter(Name="/lake/aws-datalake-platform/dev")["Parameter"]["Value"])
    pages = aws.client("glue").get_paginator("get_tables").paginate(DatabaseName=names["database"])
    listing = aws.client("s3").get_paginator("list_objects_v2").paginate(Bucket=names["lake_bucket"])
    return {
        "parameters": [entry["Name"] for entry in parameters],
        "tables": [table["Name"] for page in pages for table in page["TableList"]],
        "objects": [entry["Key"] for page in listing for entry in page.get("Contents", [])],
    }


@of_dataset
def test_a_dataset_is_one_new_contract_and_its_page(dataset: Story) -> None:
    assert dataset.status == DATASET


@of_dataset
def test_the_job_makes_a_new_dataset_and_athena_answers(dataset: Story) -> None:
    rows = dict(line.split("\t") for line in dataset.said["dataset.run"].splitlines() if line.count("\t") == 1)
    assert {"Adelaide": "72", "Kathmandu": "168"}.items() <= rows.items()


@of_dataset
def test_a_dataset_is_reported(dataset: Story) -> None:
    found = dataset.reported
    assert {"curated_city_weather", "quarantine_curated_city_weather"} <= set(found["nodes"])
    assert "curated_city_weather" in found["datasets"]


@of_pipeline
def test_a_pipeline_changes_no_existing_file(pipeline: Story) -> None:
    files = pipeline.status
    assert [line for line in files if not line.startswith("?? ")] == []
    counts = {folder: sum(line[3:].startswith(folder) for line in files) for folder in PIPELINE}
    assert (counts, sum(counts.values())) == (PIPELINE, len(files))


@of_pipeline
def test_its_rows_are_in_athena_with_the_column_that_its_job_adds(pipeline: Story) -> None:
    assert "1\t1.5\t5" in pipeline.said["pipeline.run"].splitlines()


@of_pipeline
def test_a_pipeline_is_in_report_usage_and_dashboards(pipeline: Story) -> None:
    found = pipeline.reported
    assert {"raw_orders", "orders-transform", "curated_orders", "quarantine_curated_orders"} <= set(found["nodes"])
    assert found["pipelines"] == ["orders", "weather_iot"]
    assert "aws-datalake-platform-orders-dev" in found["dashboards"]
    assert "3 dashboards" in found["used"]
    assert any(what.startswith("orders-transform: ") for what in found["used"])


@of_pipeline
def test_demo_and_drill_of_a_pipeline_work(pipeline: Story) -> None:
    said = pipeline.said["pipeline.use"]
    # The record of the block before is of the same day as the 24 of the demo.
    assert "2026-11-20\t25\t415.5" in said
    assert re.search(r"^orders_paused\torders-curated-orders-freshness\t", said, re.MULTILINE)
    assert re.search(r"^orders_denied\torders-transform-failures\t", said, re.MULTILINE)
    assert "2 of 2 passed" in said


@of_pipeline
def test_a_pipeline_passes_the_checks_and_its_own_tests(pipeline: Story) -> None:
    said = pipeline.said["pipeline.test"]
    assert "ok      types" in said
    assert re.search(r"^component +2 tests", said, re.MULTILINE)
    assert re.search(r"^e2e +1 tests", said, re.MULTILINE)
    assert re.search(r"^drill +2 tests", said, re.MULTILINE)


@pytest.mark.parametrize(
    ("chapter", "words"),
    [pytest.param("dataset", "city.weather", marks=of_dataset), pytest.param("pipeline", "orders", marks=of_pipeline)],
)
def test_removing_leaves_nothing(chapter: str, words: str, request: pytest.FixtureRequest) -> None:
    story: Story = request.getfixturevalue(chapter)
    assert story.removed == []
    assert story.left["parameters"] == [
        "/lake/aws-datalake-platform/dev",
        "/lake/aws-datalake-platform/dev/pipelines/weather_iot",
    ]
    assert [name for name in story.left["tables"] if re.search(words, name)] == []
    # The records of runs are kept; what was staged expires in a week.
    kept = ("ops/", "staging/")
    assert [key for key in story.left["objects"] if re.search(words, key) and not key.startswith(kept)] == []
