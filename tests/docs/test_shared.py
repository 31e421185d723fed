"""What pipelines share names none of them: a pipeline is found by its folder, and by what it has registered."""

import re

import pytest

from scripts import roots
from tests.docs.test_localaws import REPOSITORY, words_of
from tests.docs.test_readme import tracked

# Folders and files that every pipeline uses. A folder in one of them that is called like a pipeline is that pipeline's.
SHARED = (
    ".ci/", ".github/", "demos/__init__.py", "drills/", "lake/", "lambdas/platform/", "localaws/", "requirements/",
    "scripts/", "terraform/bootstrap.sh", "terraform/modules/", "terraform/platform/", "Makefile",
)  # fmt: skip
OF_TESTS = re.compile(r"tests/[^/]+\.py")


def names() -> set[str]:
    """The pipelines, and what stands for a service outside AWS in them."""
    simulators = {path.name for path in (REPOSITORY / "simulators").glob("*/*") if path.is_dir()}
    # A name of one word is a word of the language too.
    found = {name for name in (*roots.pipelines(), *simulators) if "_" in name.strip("_")}
    return found | {name.replace("_", "-") for name in found}


def shared() -> list[str]:
    """The files that every pipeline uses."""
    own = [f"/{name}/" for name in roots.pipelines()]
    found = [path for path in tracked() if path.startswith(SHARED) or OF_TESTS.fullmatch(path)]
    return [path for path in found if not any(folder in path for folder in own) and (REPOSITORY / path).is_file()]


def words(path: str) -> set[str]:
    """The names that are in a file, or in its path."""
    try:
        return words_of(path + (REPOSITORY / path).read_text(encoding="utf-8"), names())
    except UnicodeDecodeError:
        return set()


def test_there_are_names_and_files() -> None:
    assert {"weather_iot", "weather-iot", "open_meteo"} <= names()
    assert len(shared()) > 150
    empty = [part for part in SHARED if not any(path.startswith(part) for path in shared())]
    assert empty == []


@pytest.mark.parametrize("path", ["terraform/pipelines/weather_iot/0_inputs.tf", "drills/weather_iot/watch.py"])
def test_a_name_is_noticed(path: str) -> None:
    assert words(path)


def test_no_shared_file_names_a_pipeline() -> None:
    found = {path: words(path) for path in shared()}
    assert {path: named for path, named in found.items() if named} == {}
