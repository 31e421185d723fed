"""Two runs at once, in every order of the calls that matter: no lost update, no lost or doubled key for any reader.

"Every order" is every one in which a run is interrupted at most as often as said, at a call that changes something.
"""

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import NamedTuple

import pytest

from lake.core.counts import Counts
from lake.core.errors import LeaseLost
from lake.runs.ledger import LEASE
from lake.runs.run import run
from tests.broken_runs import AnyPlace, WiredPlace
from tests.local_aws import LocalAws
from tests.memory_aws import NO_SPARK, MemoryPlace
from tests.place import lake_of_its_own
from tests.plain_work import REFRESH, check_end, check_step, record, shown
from tests.wire import Wired
from tests.writer import LakeOn, Writer


class Step(NamedTuple):
    """Which writer went on, and which could have."""

    writer: int
    able: tuple[int, ...]


def interleaved(place: AnyPlace, on: tuple[LakeOn, LakeOn], order: list[int], expired: bool) -> list[Step]:
    """Two runs in this order; when it ends, without another interruption. A reader looks after each step."""
    place.put("a.json", record("x", 1), record("y", 1, day=19))
    run(place.lake, REFRESH)
    place.put("b.json", record("x", 2), record("y", 2, day=19), record("z", 2))
    writers = [Writer(lake_on) for lake_on in on]
    steps: list[Step] = []
    seen = shown(place.lake)
    while able := tuple(number for number, writer in enumerate(writers) if writer.result is None):
        last = steps[-1].writer if steps else 0
        number = order[len(steps)] if len(steps) < len(order) else last if last in able else able[0]
        if number == 1 and all(step.writer == 0 for step in steps):
            place.put("c.json", record("x", 3), record("y", 2, day=19))
            place.clock.shift += LEASE + timedelta(seconds=1) if expired else timedelta()
        writers[number].step()
        steps.append(Step(number, able))
        now = shown(place.lake)
        check_step(seen, now)
        seen = now
    judge(writers, expired)
    place.clock.shift += LEASE + timedelta(seconds=1)
    run(place.lake, REFRESH)
    check_end(place.lake)
    return steps


def judge(writers: list[Writer], expired: bool) -> None:
    """One works; the other works, too, has nothing to do, or hears that it was taken over."""
    for writer in writers:
        allowed = (Counts, LeaseLost) if expired else Counts
        assert isinstance(writer.result, allowed), repr(writer.result)
    assert any(isinstance(writer.result, Counts) and writer.result.received for writer in writers)


def interruptions(steps: list[Step]) -> int:
    return sum(before.writer != after.writer and before.writer in after.able for before, after in pairwise(steps))


def explore(attempt: Callable[[list[int]], list[Step]], most: int) -> int:
    """Try every order with at most so many interruptions; returns how many there are."""
    open_orders: list[list[int]] = [[]]
    tried = 0
    while open_orders:
        order = open_orders.pop()
        steps = attempt(order)
        tried += 1
        for place in range(len(order), len(steps)):
            others = [writer for writer in steps[place].able if writer != steps[place].writer]
            for other in others:
                branch = [*steps[:place], Step(other, steps[place].able)]
                if interruptions(branch) <= most:
                    open_orders.append([step.writer for step in branch])
    return tried


@pytest.mark.parametrize("expired", [True, False])
def test_two_runs_in_every_order_lose_and_double_nothing(figures: dict[str, int], expired: bool) -> None:
    def attempt(order: list[int]) -> list[Step]:
        place = MemoryPlace()
        return interleaved(place, (place.lake_on, place.lake_on), order, expired)

    figures[f"interleavings, in memory, lease {'over' if expired else 'alive'}"] = explore(attempt, most=3)


def test_two_runs_that_publish_at_once_lose_and_double_nothing_in_the_local_aws(
    aws: LocalAws, quick: LocalAws, wired: Wired, figures: dict[str, int]
) -> None:
    other = Wired(aws.client)

    def attempt(order: list[int]) -> list[Step]:
        with lake_of_its_own(quick, NO_SPARK) as place:
            places = WiredPlace(place, wired), WiredPlace(place, other)
            on = (places[0].lake_on, places[1].lake_on)
            return interleaved(places[0], on, order, expired=True)

    orders = explore(attempt, most=1)
    assert orders >= 20
    figures["interleavings, in the local AWS"] = orders
