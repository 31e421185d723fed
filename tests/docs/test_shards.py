"""The shards together are the whole suite, and a file that pays for a lake stays in one of them."""

import os
from pathlib import Path

import pytest

from tests import shards

SECONDS = {"slow": 60.0, "fast": 1.0, "usual": 10.0}
GROUPS = {*SECONDS, "new", "newer"}


@pytest.mark.parametrize("total", [1, 2, 3, 8])
def test_each_group_is_in_exactly_one_shard(total: int) -> None:
    parts = [shards.cut(GROUPS, SECONDS, shards.Shard(number, total)) for number in range(1, total + 1)]
    assert sorted(name for part in parts for name in part) == sorted(GROUPS)


def test_groups_that_were_measured_as_nothing_do_not_pile_up_in_one_shard() -> None:
    seconds = dict.fromkeys(["a", "b", "c", "d"], 0.0)
    assert [len(shards.cut([*seconds, "e", "f"], seconds, shards.Shard(n, 2))) for n in (1, 2)] == [3, 3]


def test_each_test_of_the_collection_is_in_exactly_one_of_eight_shards(pytester: pytest.Pytester) -> None:
    pytester.makeconftest('pytest_plugins = ["tests.tiers"]')
    for number in range(12):
        pytester.makepyfile(**{f"test_{number}": "def test_one(): pass\ndef test_two(): pass"})
    chosen = [ran(pytester, f"--shard={number}/8") for number in range(1, 9)]
    assert sorted(name for part in chosen for name in part) == sorted(ran(pytester))
    assert len(ran(pytester)) == 24


def ran(pytester: pytest.Pytester, *options: str) -> list[str]:
    _, recorder = pytester.inline_genitems(*options)
    return [item.nodeid for call in recorder.getcalls("pytest_collection_modifyitems")[-1:] for item in call.items]


@pytest.mark.component
def test_one_process_runs_all_tests_of_a_group(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    pytester.makeconftest('pytest_plugins = ["tests.tiers"]')
    tests = "import os, pathlib, pytest\n@pytest.mark.parametrize('number', range(9))\ndef test_it(number):\n"
    pytester.makepyfile(
        **{f"test_{name}": f"{tests} pathlib.Path('{name}-' + str(os.getpid())).touch()" for name in "abcd"}
    )
    pytester.runpytest_subprocess("-n2", "--dist", "loadgroup", "--no-loadscope-reorder").assert_outcomes(passed=36)
    assert sorted(path.name[0] for path in pytester.path.glob("?-*")) == list("abcd")


@pytest.mark.parametrize(
    ("options", "gigabytes", "processes"),
    [
        ([], 16, 4), (["--tiers=unit,component,smoke"], 16, 2), (["--tiers=e2e,drill"], 16, 4),
        (["--tiers=long"], 10, 3), ([], 4, 2),
    ],
)  # fmt: skip
def test_while_some_tests_wait_others_have_the_processor(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, options: list[str], gigabytes: int, processes: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {0, 1}, raising=False)
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 1024, "SC_PHYS_PAGES": gigabytes * 1024**2}.get)
    config = pytester.parseconfig("-p", "tests.tiers", *options)
    assert config.hook.pytest_xdist_auto_num_workers(config=config) == processes


def test_reversed_runs_the_last_test_first(pytester: pytest.Pytester) -> None:
    pytester.makeconftest('pytest_plugins = ["tests.tiers"]')
    pytester.makepyfile("def test_one(): pass\ndef test_two(): pass")
    assert ran(pytester, "--reversed") == ran(pytester)[::-1]


def test_the_longest_is_alone_when_the_rest_fits_beside_it() -> None:
    assert shards.cut(SECONDS, SECONDS, shards.Shard(1, 2)) == {"slow"}


@pytest.mark.parametrize("text", ["0/8", "9/8", "eight", "1"])
def test_what_is_no_part_of_a_whole_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        shards.parsed(text)
