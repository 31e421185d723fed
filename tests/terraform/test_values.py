"""What Terraform refuses among the values that people give the platform."""

import re
import shutil
from pathlib import Path

import pytest

from tests.terraform.conftest import Run


@pytest.fixture
def said(tree: Path, terraform: Run, tmp_path: Path, given: dict[str, str]) -> tuple[int, str]:
    """Exit code and words of a mocked apply with other values than those of the test of the platform."""
    copy = tmp_path / "tree"
    shutil.copytree(tree, copy, ignore=shutil.ignore_patterns(".terraform"))
    folder = copy / "terraform/platform"
    mocked = folder / "tests/platform.tftest.hcl"
    text = mocked.read_text()
    for name, value in given.items():
        text, changed = re.subn(rf"(?m)^(  {name} *= ).*", rf'\1"{value}"', text)
        assert changed == 1
    mocked.write_text(text)
    assert terraform(folder, "init", "-backend=false", "-input=false", "-no-color").returncode == 0
    tested = terraform(folder, "test", "-no-color", "-var=planted=x")
    return tested.returncode, " ".join((tested.stdout + tested.stderr).replace("│", " ").split())


@pytest.mark.parametrize("given", [{"bucket_prefix": "p" * 30}])
def test_a_prefix_that_makes_a_bucket_name_too_long_is_refused_with_its_length(said: tuple[int, str]) -> None:
    code, words = said
    assert code != 0
    assert "A bucket name has at most 63 characters" in words
    assert "has 67: give a shorter bucket_prefix" in words


@pytest.mark.parametrize(
    "given", [{"alert_email": address} for address in ("a@example.com", "a@EXAMPLE.org", "a@mail.example.net")]
)
def test_outside_dev_an_address_that_nobody_reads_is_refused(said: tuple[int, str], given: dict[str, str]) -> None:
    code, words = said
    assert code != 0
    assert f"Nobody reads {given['alert_email']}: give an address of your own" in words


@pytest.mark.parametrize("given", [{"alert_email": "a@notexample.com"}])
def test_every_other_address_is_taken(said: tuple[int, str]) -> None:
    assert said[0] == 0, said[1][-2000:]
