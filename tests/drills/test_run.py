"""What a drill leaves is noticed by a plan, and no plan is made twice."""

import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from drills.drill import Drill, in_first_block
from drills.lake import Lake
from drills.run import NO_CHANGES, Runner
from drills.runbook import Runbook
from scripts import roots

PAGE = "### some-alarm\n" + "".join(
    f"```bash id={name}\ntrue\n```\n\n" for name in ("start", *(f"some-alarm.{step}" for step in ("confirm", "apply")))
)
NOTHING = NO_CHANGES * (len(roots.pipelines()) + 1)


@dataclass
class PlannedLake:
    """A lake of which only Terraform is of interest: what blocks print, what plans end with, how often it planned."""

    prints: str = ""
    code: int = 0
    plans: int = 0
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def command(self, *_command: str, **_variables: str) -> Any:
        return subprocess.CompletedProcess((), 0, self.prints, "")

    def terraform(self, _action: str) -> Any:
        self.plans += 1
        return subprocess.CompletedProcess((), self.code, "", "")

    def of(self, _pipeline: str) -> "PlannedLake":
        return self

    def mail(self) -> list[dict[str, Any]]:
        return []

    def ringing(self) -> set[str]:
        return set()

    def advance(self, _seconds: int) -> None:
        """Time has no meaning here."""

    reset_simulators = break_aws = lambda _self: None


def drill(number: str, *blocks: str, **more: Any) -> Drill:
    given = {"inject": lambda _lake: {}, "proof": lambda _lake, _found: "all is well", "noticed": in_first_block}
    return Drill(id=number, section="some-alarm", title="", blocks=blocks, **{**given, **more})


def runner(lake: PlannedLake) -> Runner:
    return Runner(cast(Lake, lake), Runbook({"some.md": PAGE}), lambda _line: None)


@pytest.mark.parametrize(("first", "plans"), [(("confirm",), 2), (("confirm", "apply"), 1)])
def test_what_a_drill_leaves_is_planned_before_another_one_could_mend_it(first: tuple[str, ...], plans: int) -> None:
    lake = PlannedLake()
    drills = runner(lake)
    assert drills.run(drill("1a", *first)).passed
    assert drills.run(drill("1b", "confirm", "apply")).passed
    drills.require_empty_plan()
    assert lake.plans == plans


def test_a_drill_that_leaves_something_fails_with_the_next_plan() -> None:
    lake = PlannedLake(code=2)
    drills = runner(lake)
    left = drills.run(drill("1a", "confirm"))
    drills.require_empty_plan()
    assert not left.passed
    assert "after 1a the plan is not empty" in left.problem


def test_a_plan_that_is_a_block_is_not_made_again_but_must_find_nothing() -> None:
    lake = PlannedLake(prints=NOTHING)
    drills = runner(lake)
    assert drills.run(drill("1a", "confirm", plans_nothing=True)).passed
    drills.require_empty_plan()
    assert lake.plans == 0
    lake.prints = NO_CHANGES * len(roots.pipelines())
    refused = drills.run(drill("1b", "confirm", plans_nothing=True))
    assert (refused.passed, "there is something to do" in refused.problem) == (False, True)
