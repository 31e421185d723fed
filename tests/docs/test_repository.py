"""The repository speaks of itself alone, and its locks hold everywhere."""

import re
from pathlib import Path

import pytest

from tests.docs.test_readme import tracked

REPOSITORY = Path(__file__).parents[2]
LOCKS = sorted((REPOSITORY / "requirements").glob("*.txt"))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_locks_carry_hashes_and_no_address(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    pinned = re.findall(r"^[a-zA-Z][^=\n]*==\S+", text, re.MULTILINE)
    assert pinned
    assert len(re.findall(r"^[a-zA-Z][^\n]*\\\n    --hash=sha256:", text, re.MULTILINE)) == len(pinned)
    assert "://" not in text


def test_every_lock_is_of_an_input_and_every_input_is_pinned() -> None:
    inputs = sorted((REPOSITORY / "requirements").glob("*.in"))
    assert [lock.stem for lock in LOCKS] == [path.stem for path in inputs]
    wanted = [line for path in inputs for line in path.read_text().splitlines() if line and line[0] not in "#-"]
    assert [line for line in wanted if "==" not in line] == []


def test_no_file_reads_what_is_outside_the_clone() -> None:
    outside = "../" + "shared"
    found = [path for path in tracked() if outside in (REPOSITORY / path).read_bytes().decode("utf-8", "ignore")]
    assert found == []


def test_product_code_does_not_know_the_local_aws() -> None:
    product = [
        path for path in tracked() if path.startswith(("lake/", "lambdas/", "glue_jobs/", "contracts/", "terraform/"))
    ]
    assert len(product) > 50
    words = re.compile(r"localaws|ministack|127\.0\.0\.1|localhost", re.IGNORECASE)
    assert [path for path in product if words.search((REPOSITORY / path).read_text(encoding="utf-8"))] == []
