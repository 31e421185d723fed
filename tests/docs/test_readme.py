"""The README says what is on disk, and only commands that exist."""

import re
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [
    *("README.md", "RUNBOOK.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/data.md", "docs/traps.md"),
    *sorted(str(page.relative_to(REPOSITORY)) for page in (REPOSITORY / "docs/runbooks").glob("*.md")),
]


def tracked() -> list[str]:
    """Files that git tracks or would track."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    return subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout.splitlines()


def test_the_tree_in_the_readme_is_the_tree_on_disk() -> None:
    block = README.split("## Where things are")[1].split("```text\n")[1].split("```")[0]
    printed = [line.split()[0] for line in block.splitlines()]
    on_disk = {f"{path.split('/')[0]}/" if "/" in path else path for path in tracked()}
    assert sorted(printed) == sorted(on_disk)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_make_target_that_a_document_names_exists(document: str) -> None:
    text = (REPOSITORY / document).read_text(encoding="utf-8")
    named = set(re.findall(r"(?:`|^|\$\()make (?:-s )?([a-z-]+)", text, re.MULTILINE))
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert named <= targets


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_path_that_a_document_links_or_quotes_exists(document: str) -> None:
    path = REPOSITORY / document
    text = path.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#:]+)\)", text) if not (path.parent / link).exists()]
    quoted = [name for name in re.findall(r"`([a-z_]+(?:/[\w.]+)+/?)`", text) if "<" not in name]
    missing = [name for name in quoted if not name.startswith("raw/") and not (REPOSITORY / name).exists()]
    assert (links, missing) == ([], [])


def test_make_help_lists_every_target() -> None:
    listed = subprocess.run(["make", "help"], cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout
    targets = re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(line.split()[1] for line in listed.splitlines()) == sorted(targets)
