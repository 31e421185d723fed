"""Quiet hours: nothing rings, and every pipeline that says how to see it was at work."""

import pytest

from drills import catalogue
from drills.quiet import Quiet


@pytest.mark.parametrize(
    ("alarms", "done", "quiet"),
    [
        ((), {"one runs": 3, "two runs": 4}, True),
        ((), {"one runs": 2, "two runs": 4}, False),
        (('ALARM: "x"',), {"one runs": 3, "two runs": 4}, False),
    ],
)
def test_it_is_quiet_when_nothing_rings_and_all_that_is_expected_was_done(
    alarms: tuple[str, ...], done: dict[str, int], quiet: bool
) -> None:
    assert Quiet(3, alarms, done, {"one runs": 3, "two runs": 3}).is_quiet is quiet


def test_a_drill_knows_its_pipeline() -> None:
    drills = catalogue.drills().values()
    assert {drill.pipeline for drill in drills} == set(catalogue.pipelines())
    assert all(drill.inject.__module__.startswith(f"drills.{drill.pipeline}.") for drill in drills)
