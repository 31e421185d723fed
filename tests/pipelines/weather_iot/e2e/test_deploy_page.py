"""docs/deploy.md, followed to the letter in a fresh account."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from drills.lake import Lake
from drills.run import Terminal
from drills.runbook import START, Runbook
from drills.sets import fresh_account
from tests.local_aws import REPOSITORY

PAGE = "docs/deploy.md"
BOOK = Runbook({PAGE: (REPOSITORY / PAGE).read_text(encoding="utf-8")})
STEPS = [block for block in BOOK.blocks if block != START]
# The step before which a reader waits for the stream.
DELIVERED = "deploy.delivered"

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("aws") is None, reason="the page is written for people who have the AWS CLI"),
]


@pytest.fixture(scope="module")
def lake() -> Iterator[Lake]:
    """An account in which nothing is."""
    with fresh_account() as lake:
        yield lake


@pytest.fixture(scope="module")
def terminal(lake: Lake) -> Iterator[Terminal]:
    """The shell of somebody who reads the page, with credentials."""
    with tempfile.TemporaryDirectory() as folder:
        yield Terminal(lake, "", Path(folder) / "variables")


@pytest.mark.parametrize("step", STEPS)
def test_a_step_prints_what_stands_below_it(lake: Lake, terminal: Terminal, step: str) -> None:
    if step == DELIVERED:
        lake.flush()  # what a reader waits for
    code, printed = terminal.type(BOOK.script(step))
    assert code == 0, printed[-3000:]
    assert BOOK.missing_from(step, printed) == [], printed[-3000:]


def test_no_output_belongs_to_a_block_that_is_not_there() -> None:
    assert sorted(set(BOOK.outputs) - set(BOOK.blocks)) == []
    assert len(STEPS) > 8
    assert DELIVERED in STEPS
