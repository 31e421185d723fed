"""A repository to deploy from: this one, with a pipeline of one parameter in the place of its own."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.local_aws import REPOSITORY

TINY = Path(__file__).parent / "tiny"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Git repository with the files of this one; the pipeline is cheap, so that a deployment takes a minute."""
    copy = tmp_path_factory.mktemp("source")
    listed = git(REPOSITORY, "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    for name in (name for name in listed.split("\0") if name and (REPOSITORY / name).is_file()):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / name, copy / name)
    pipelines = copy / "terraform/pipelines"
    tiny = pipelines / "tiny"
    shutil.copytree(TINY, tiny)
    shutil.copy2(pipelines / "weather_iot/.terraform.lock.hcl", tiny)
    for environment in ("dev", "prod"):
        (tiny / f"{environment}.tfvars").write_text(f'environment = "{environment}"\n')
    shutil.rmtree(pipelines / "weather_iot")
    git(copy, "init", "--quiet", "--initial-branch=main")
    commit(copy)
    return copy


def git(folder: Path, *arguments: str) -> str:
    """What Git says in a folder."""
    author = ("-c", "user.name=test", "-c", "user.email=test@example.com")
    command = ["git", "-C", str(folder), *author, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def commit(folder: Path) -> str:
    """Commit all that is in a repository's folder; the commit."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "test")
    return git(folder, "rev-parse", "HEAD").strip()
