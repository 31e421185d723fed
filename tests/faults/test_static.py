"""What must not be in what is deployed, and how the session must be set."""

import ast
import re
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from lake.core.s3 import Location
from lake.operations import job
from tests.faults.fault import REPOSITORY

FOLDERS = ("lake", "glue_jobs", "lambdas", "terraform", "contracts")
SUFFIXES = {".py", ".tf", ".yaml", ".hcl", ".tfvars", ".sh"}


def deployed() -> list[Path]:
    """Every file that is code or configuration of what is deployed."""
    return [path for name in FOLDERS for path in sorted((REPOSITORY / name).rglob("*")) if path.suffix in SUFFIXES]


def containing(pattern: str) -> list[str]:
    """The places in what is deployed where a pattern stands."""
    found = re.compile(pattern)
    return [
        f"{path.relative_to(REPOSITORY)}: {text.strip()}"
        for path in deployed()
        for text in path.read_text(encoding="utf-8").splitlines()
        if found.search(text)
    ]


def test_the_search_finds_what_is_there() -> None:
    assert len(deployed()) > 100
    assert any(hit.startswith("lake/tables/partition_files/merge.py") for hit in containing(r"spark\.read\b"))


@pytest.mark.parametrize(
    "pattern", [r"FAILFAST", r"DROPMALFORMED", r"PERMISSIVE", r"\.read\.(json|csv|text)\b", r"from_json"]
)
def test_no_reader_of_spark_that_drops_stops_or_guesses_is_configured(pattern: str) -> None:
    assert containing(pattern) == []


@pytest.mark.parametrize(
    "pattern", [r"verify\s*=\s*False", r"CERT_NONE", r"_create_unverified_context", r"curl .*(-k|--insecure)\b"]
)
def test_certificates_are_always_verified(pattern: str) -> None:
    assert containing(pattern) == []


@pytest.mark.parametrize(
    "pattern", [r"ignoreCorruptFiles", r"ignoreMissingFiles", r"spark\.speculation", r"job-bookmark-enable"]
)
def test_no_option_that_hides_losses_is_set(pattern: str) -> None:
    assert containing(pattern) == []


def test_what_is_listed_is_a_folder() -> None:
    """A prefix is text for S3; ``Location`` refuses one that is no folder, so all listings are of one."""
    asked = {
        f"{path.relative_to(REPOSITORY)}: {ast.unparse(call)}"
        for name in ("lambdas", "lake", "scripts", "drills", "glue_jobs", "simulators")
        for path in sorted((REPOSITORY / name).rglob("*.py"))
        if path != REPOSITORY / "lake/core/s3.py"
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        for word in call.keywords
        if word.arg == "Prefix" and not (isinstance(word.value, ast.Attribute) and word.value.attr == "prefix")
    }
    assert asked == set()
    with pytest.raises(ValueError, match="does not end with a slash"):
        Location("lake", "raw/weather/date=2026-11-20/paris")
    assert Location("lake", "").uri == "s3://lake/"


def test_the_session_neither_ignores_broken_files_nor_guesses(spark: SparkSession) -> None:
    expected = {
        "spark.sql.files.ignoreCorruptFiles": "false",
        "spark.sql.files.ignoreMissingFiles": "false",
        "spark.speculation": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
    }
    session = job.spark_session()
    assert {name: session.conf.get(name, "false") for name in expected} == expected
