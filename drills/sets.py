"""A set of drills, in an order that costs least time."""

import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain, groupby, zip_longest
from pathlib import Path

from drills import runbook
from drills.drill import Drill
from drills.lake import Lake
from drills.run import Result, Runner, Say
from localaws.client import running


def round_robin(drills: Sequence[Drill]) -> list[Drill]:
    """One drill of each section after the other: while one alarm takes its time to be over, others can be raised."""
    by_section = [list(group) for _, group in groupby(drills, key=lambda drill: drill.section)]
    return [drill for drill in chain(*zip_longest(*by_section)) if drill is not None]


def run(drills: Sequence[Drill], lake: Lake, say: Say) -> list[Result]:
    """Run all against this lake; beside them those that need an account in which nothing is. Results in their order."""
    with ThreadPoolExecutor(max_workers=1) as beside:
        fresh = [beside.submit(run_fresh, drill, say) for drill in drills if drill.fresh_account]
        runner = Runner(lake, runbook.load(), say)
        results = [runner.run(drill) for drill in round_robin([drill for drill in drills if not drill.fresh_account])]
        runner.drain()
        runner.require_empty_plan()
        done: list[Future[Result]] = fresh
        by_id = {result.id: result for result in [*results, *(future.result() for future in done)]}
    return [by_id[drill.id] for drill in drills]


def run_fresh(drill: Drill, say: Say) -> Result:
    """Run one drill in an account of its own."""
    with fresh_account() as lake:
        return Runner(lake, runbook.load(), say).run(drill)


@contextmanager
def fresh_account() -> Iterator[Lake]:
    """A localaws in which nothing is, with no lake in it yet."""
    with tempfile.TemporaryDirectory(prefix="drill-") as folder, running(Path(folder) / "home") as aws:
        yield Lake(aws.home, aws.port, aws.environment, Path(folder) / "terraform")
