"""The tiers of the tests: which one a test belongs to, what a unit test may not do, and how long each tier took.

A pytest plugin, loaded by the conftest.py at the root. A test's tier is its mark; without one it is that of the dearest
fixture that it asks for, and ``unit`` when it asks for none of these.
"""

import json
import os
import socket
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests import shards

TIERS = {
    "unit": "opens no socket and starts no Spark",
    "component": "one part with what it needs: Spark, a part of localaws, Terraform without an account",
    "e2e": "a deployed lake",
    "drill": "a cause of the runbook, made and mended on a deployed lake",
    "long": "minutes by itself, or days of simulated time",
}
# Asking for one of these fixtures, directly or not, makes a test what is said here; the last one that fits counts.
TIER_OF_FIXTURE = {"terraform": "component", "aws": "component", "spark": "component", "deployed": "e2e"}
# Tests of these tiers wait two thirds of their time: the provider watches for up to a minute whether what it has made
# stays as it is, however fast AWS is.
WAITING = {"e2e", "drill", "long"}
# A local AWS, a Spark and a Terraform, at their largest.
MEMORY_OF_A_PROCESS = 3 * 1024**3
DURATIONS = Path(__file__).parent / "durations.json"
PIPELINES = Path(__file__).parent / "pipelines"
_GUARDED = ("connect", "connect_ex", "bind", "sendto")


def tier(item: pytest.Item) -> str:
    """The tier of a collected test: a mark of its own, or that of its file, or what its fixtures make it."""
    marked = [mark.name for mark in item.iter_markers() if mark.name in TIERS]
    asked = [name for fixture, name in TIER_OF_FIXTURE.items() if fixture in getattr(item, "fixturenames", ())]
    return marked[0] if marked else (asked or ["unit"])[-1]


def names(item: pytest.Item) -> set[str]:
    """What a test is selected by: its tier, or ``smoke`` alone when every change must pass it."""
    return {"smoke"} if item.get_closest_marker("smoke") else {tier(item)}


def group(item: pytest.Item) -> str:
    """What stays together in one shard: the tests of one file that are of one tier, or those of a ``group`` in it."""
    named = item.get_closest_marker("group")
    parts = [item.nodeid.partition("::")[0], tier(item), *(named.args if named else ())]
    return " ".join(parts)


def pytest_addoption(parser: pytest.Parser) -> None:
    options = parser.getgroup("tiers")
    options.addoption("--shard", metavar="k/n", type=shards.parsed, help="run the k-th of n parts of what is selected")
    options.addoption("--tiers", metavar="t,…", help=f"run these tiers only, of {', '.join(TIERS)} and smoke")
    options.addoption("--pipeline", metavar="p", help="run the tests below tests/pipelines/<p> only")
    options.addoption("--reversed", action="store_true", help="run the tests of each file from the last to the first")
    options.addoption("--store-durations", action="store_true", help=f"write what each group took to {DURATIONS.name}")


def pytest_configure(config: pytest.Config) -> None:
    for name, meaning in TIERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")
    config.addinivalue_line("markers", "smoke: the tests of a deployed lake that every change must pass")
    config.addinivalue_line("markers", "group(name): tests of one file that are kept together in one shard")
    config.pluginmanager.register(Clock(), "tiers-clock")


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """How many processes `-n auto` is: one a core; where there are tests that wait two, as far as there is memory."""
    chosen = config.getoption("tiers")
    if chosen and not WAITING & set(chosen.split(",")):
        return _cores()
    return min(2 * _cores(), max(_cores(), _memory() // MEMORY_OF_A_PROCESS))


def _cores() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory() -> int:
    """The machine's memory in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark every test with its tier, before pytest selects by marks, and with what xdist keeps in one process."""
    for item in items:
        item.add_marker(tier(item))
        item.add_marker(pytest.mark.xdist_group(group(item)))
        item.user_properties += [("tier", tier(item)), ("group", group(item))]
    if config.getoption("tiers"):
        wanted = set(config.getoption("tiers").split(","))
        if unknown := wanted - {*TIERS, "smoke"}:
            raise pytest.UsageError(f"there is no tier {', '.join(unknown)}; there are {', '.join(TIERS)} and smoke")
        _keep(config, items, {item for item in items if wanted & names(item)})
    chosen = config.getoption("pipeline")
    if chosen is not None:
        if not (PIPELINES / chosen).is_dir():
            known = ", ".join(sorted(folder.name for folder in PIPELINES.iterdir() if folder.is_dir()))
            raise pytest.UsageError(f"there is no pipeline {chosen} in tests/pipelines; there are: {known}")
        _keep(config, items, {item for item in items if item.path.is_relative_to(PIPELINES / chosen)})


class Clock:
    """Cuts what is selected into shards, and adds up what each tier and each group takes.

    With xdist the processes that run the tests select them, and the one that started them hears what they took.
    """

    def __init__(self) -> None:
        self.tiers: defaultdict[str, float] = defaultdict(float)
        self.groups: defaultdict[str, float] = defaultdict(float)
        self.tests: Counter[str] = Counter()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        shard = config.getoption("shard")
        if shard is not None:
            wanted = shards.cut({group(item) for item in items}, stored_durations(), shard)
            _keep(config, items, {item for item in items if group(item) in wanted})
        if config.getoption("reversed"):
            items.reverse()
        if hasattr(config, "workerinput"):
            longest_first(items)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        says = dict(report.user_properties)
        self.tiers[str(says["tier"])] += report.duration
        self.groups[str(says["group"])] += report.duration
        self.tests[str(says["tier"])] += report.when == "call"

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        for name in TIERS:
            if name in self.tiers:
                terminalreporter.write_line(f"{name:<10}{self.tests[name]:>6} tests{self.tiers[name]:>8.0f} s")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if session.config.getoption("store_durations") and not hasattr(session.config, "workerinput"):
            store_durations(self.groups)


def longest_first(items: list[pytest.Item]) -> None:
    """Order the groups by what they took last, so that no process begins a long one when the others are done."""
    seconds = stored_durations()
    items.sort(key=lambda item: (-seconds.get(group(item), 0.0), group(item)))


def stored_durations() -> dict[str, float]:
    """Group to seconds, as they were measured last."""
    return dict(json.loads(DURATIONS.read_text(encoding="utf-8"))) if DURATIONS.exists() else {}


def store_durations(measured: Mapping[str, float]) -> None:
    """Write what was measured beside what is known of other groups; those whose file is gone are left out."""
    known = stored_durations() | {name: round(seconds, 1) for name, seconds in measured.items()}
    kept = {name: seconds for name, seconds in sorted(known.items()) if Path(name.split(" ")[0]).exists()}
    DURATIONS.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def _keep(config: pytest.Config, items: list[pytest.Item], wanted: set[pytest.Item]) -> None:
    config.hook.pytest_deselected(items=[item for item in items if item not in wanted])
    items[:] = [item for item in items if item in wanted]


class SocketInUnitTest(AssertionError):
    """A test that is `unit` tried to reach something outside its process."""


@pytest.fixture(autouse=True)
def _no_socket_in_unit_tests(request: pytest.FixtureRequest) -> Iterator[None]:
    """A unit test that opens a socket fails with the sentence that says what to do."""
    if request.node.get_closest_marker("unit") is None:
        yield
        return

    def refuse(*_: Any) -> NoReturn:
        raise SocketInUnitTest(f"{request.node.nodeid} opens a socket: mark it component, or leave the socket out")

    with pytest.MonkeyPatch.context() as patch:
        for name in _GUARDED:
            patch.setattr(socket.socket, name, refuse)
        yield
