"""Hours or days in which nothing goes wrong: whatever rings then is a false alarm.

A pipeline says in ``drills/<pipeline>/quiet.py`` how to see that it was at work: ``done(lake)`` counts what it has done
so far, ``expected(hours)`` is the least that each count grows by.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

from drills import catalogue
from drills.lake import Lake
from drills.run import Say

HOUR_SECONDS = 3600


@dataclass(frozen=True)
class Quiet:
    """The result of ``hours`` simulated hours: mails of false alarms, and what was ``done`` of what is ``expected``."""

    hours: int
    false_alarms: tuple[str, ...]
    done: Mapping[str, int]
    expected: Mapping[str, int]

    @property
    def is_quiet(self) -> bool:
        """No alarm, and every pipeline was at work."""
        at_work = all(self.done[name] >= least for name, least in self.expected.items())
        return at_work and not self.false_alarms


def live(lake: Lake, hours: int, say: Say) -> Quiet:
    """Let so many hours pass, with all schedules at work, and look at what was mailed."""
    first, before = len(lake.mail()), _done(lake)
    for hour in range(hours):
        lake.advance(HOUR_SECONDS)
        if hour % 24 == 23 or hour == hours - 1:
            say(f"hour {hour + 1} of {hours}: {len(_false_alarms(lake, first))} false alarms")
    done = {name: count - before[name] for name, count in _done(lake).items()}
    return Quiet(hours, _false_alarms(lake, first), done, _expected(lake, hours))


def _false_alarms(lake: Lake, first: int) -> tuple[str, ...]:
    return tuple(mail["subject"] for mail in lake.mail()[first:] if not mail["subject"].startswith("OK:"))


def _done(lake: Lake) -> dict[str, int]:
    """Count the work of each pipeline so far, by its name and the name of the count."""
    counts = {name: module.done(lake.of(name)) for name, module in _watched(lake).items()}
    return {f"{name} {what}": count for name, found in counts.items() for what, count in found.items()}


def _expected(lake: Lake, hours: int) -> dict[str, int]:
    least = {name: module.expected(hours) for name, module in _watched(lake).items()}
    return {f"{name} {what}": count for name, found in least.items() for what, count in found.items()}


def _watched(lake: Lake) -> dict[str, ModuleType]:
    """The deployed pipelines that say how to see that they were at work."""
    names = [name for name in lake.pipelines if (catalogue.FOLDER / name / "quiet.py").is_file()]
    return {name: import_module(f"{__package__}.{name}.quiet") for name in names}
