"""Snapshots of deployments are made once for each set of inputs."""

import threading
from pathlib import Path
from unittest.mock import Mock

import pytest

from tests.deployments import EARLIER, kept


class Maker:
    """Makes snapshots and counts them."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self, folder: Path) -> None:
        self.made += 1
        (folder / "state").write_text(f"number {self.made}")


def test_the_same_inputs_are_deployed_once_and_others_anew(tmp_path: Path) -> None:
    (source := tmp_path / "terraform").mkdir()
    make, cache = Maker(), tmp_path / "cache"
    for text in ("one", "one", "two", "one"):
        (source / "main.tf").write_text(text)
        snapshot = kept(cache, [source], make)
        assert (snapshot / "state").read_text() == {"one": "number 1", "two": "number 2"}[text]
    assert make.made == 2


def test_what_failed_is_not_kept(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "state").write_text("half")
        raise AssertionError("terraform failed")

    with pytest.raises(AssertionError):
        kept(tmp_path / "cache", [], fail)
    snapshot = kept(tmp_path / "cache", [], Maker())
    assert (snapshot / "state").read_text() == "number 1"


def test_what_is_no_longer_good_is_made_anew(tmp_path: Path) -> None:
    make, cache = Maker(), tmp_path / "cache"
    for good, number in ((True, 1), (True, 1), (False, 2)):
        snapshot = kept(cache, [], make, Mock(return_value=good))
        assert (snapshot / "state").read_text() == f"number {number}"


def test_who_comes_second_waits_for_the_first(tmp_path: Path) -> None:
    at_work, may_end, found = threading.Event(), threading.Event(), []

    def make_slowly(folder: Path) -> None:
        at_work.set()
        assert may_end.wait(3600)
        (folder / "state").write_text("whole")

    def ask() -> None:
        found.append((kept(tmp_path, [], make_slowly) / "state").read_text())

    first, second = threading.Thread(target=ask), threading.Thread(target=ask)
    first.start()
    assert at_work.wait(3600)
    at_work.clear()
    second.start()
    may_end.set()
    first.join()
    second.join()
    assert (found, at_work.is_set()) == (["whole", "whole"], False)


def test_only_the_latest_are_kept(tmp_path: Path) -> None:
    source, cache = tmp_path / "input", tmp_path / "cache"
    for number in range(EARLIER + 3):
        source.write_text(str(number))
        kept(cache, [source], Maker())
    assert len([path for path in cache.iterdir() if path.is_dir()]) == EARLIER + 1
