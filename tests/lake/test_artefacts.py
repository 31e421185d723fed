"""What of lake goes into the artefacts that are deployed."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from localaws.services.glue import spark
from scripts import build

REPOSITORY = build.REPOSITORY


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what the wheel is built from."""
    for folder in ("lake", "contracts"):
        shutil.copytree(REPOSITORY / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2(REPOSITORY / "pyproject.toml", tmp_path)
    monkeypatch.setattr(build, "REPOSITORY", tmp_path)
    return tmp_path


def wheel(tree: Path) -> bytes:
    artifacts = tree / "artifacts"
    artifacts.mkdir(exist_ok=True)
    return build.write_wheel(artifacts).read_bytes()


def test_a_change_of_the_report_or_of_a_command_changes_no_code_version(tree: Path) -> None:
    before = wheel(tree)
    for changed in ("report/page.css", "cli/output.py", "environment/prices.yaml", "maintenance/redelivery.py"):
        with (tree / "lake" / changed).open("a", encoding="utf-8") as file:
            file.write("\n\n")
    assert wheel(tree) == before
    with (tree / "lake/operations/refresh.py").open("a", encoding="utf-8") as file:
        file.write("\n\n")
    assert wheel(tree) != before


@pytest.mark.parametrize("artefact", ["functions", "jobs"])
def test_an_artefact_needs_no_other_room(tree: Path, tmp_path: Path, artefact: str) -> None:
    alone = tmp_path / "alone"
    build.copy_rooms(artefact, alone)
    modules = [".".join(path.relative_to(alone).with_suffix("").parts) for path in alone.rglob("*.py")]
    # The operators' own machine encrypts with a library that jobs do not have.
    wanted = [name for name in modules if not name.endswith("__init__") and name != "lake.pseudonyms.encryption"]
    assert wanted
    code = f"import sys; sys.path.insert(0, {str(alone)!r}); import {', '.join(wanted)}; print(lake.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, env={"PATH": ""}, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(alone / "lake/__init__.py")


def test_the_wheel_of_the_jobs_announces_no_command(tree: Path) -> None:
    artifacts = tree / "artifacts"
    artifacts.mkdir()
    with zipfile.ZipFile(build.write_wheel(artifacts)) as archive:
        assert [name for name in archive.namelist() if "entry_points" in name] == []
        assert "lake/contracts/platform/pipeline_runs.json" in archive.namelist()


@pytest.mark.component
def test_the_wheel_of_the_jobs_needs_nothing_but_what_glue_has(tree: Path, tmp_path: Path) -> None:
    """Each module of the wheel is imported, and each contract read, by the Python that has Glue's packages only."""
    artifacts = tree / "artifacts"
    artifacts.mkdir()
    unpacked = tmp_path / "unpacked"
    zipfile.ZipFile(build.write_wheel(artifacts)).extractall(unpacked)
    (metadata,) = unpacked.glob("*.dist-info/METADATA")
    assert "Requires-Dist: boto3" not in metadata.read_text(encoding="utf-8")
    names = [".".join(path.relative_to(unpacked).with_suffix("").parts) for path in unpacked.rglob("*.py")]
    wanted = [name for name in names if not name.endswith("__init__") and name != "lake.pseudonyms.encryption"]
    read = "print(sorted(lake.contract.model.read(path).name for path in lake.contract.model.files()))"
    code = f"import {', '.join(wanted)}\n{read}"
    path = os.pathsep.join([str(unpacked), str(spark.brought_along(tmp_path / "spark"))])
    command = [str(spark.glue_python()), "-c", code]
    done = subprocess.run(command, cwd=unpacked, capture_output=True, text=True, env={"PYTHONPATH": path}, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(sorted(path.stem for path in REPOSITORY.glob("contracts/*/*.yaml")))
