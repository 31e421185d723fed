"""Simulators: stand-ins for services outside AWS that the functions of a pipeline call.

AWS and MiniStack have none. A pipeline registers a simulator as an entry point of the group `localaws.simulators`; the
name of the entry point is the simulator's name. localaws starts each one and gives its address to the functions that
the simulator chooses.
"""

import importlib.metadata
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Protocol

from localaws.core import clock

GROUP = "localaws.simulators"


class Simulator(Protocol):
    """The protocol of the group's entry points, each an object or a module."""

    def start(self, advanced: Callable[[], timedelta]) -> str:
        """Serve on a free port of the loopback interface until the process ends.

        `advanced` tells how far the clock of localaws has been moved. Returns the base URL.
        """

    def environment(self, function: Mapping[str, Any]) -> Mapping[str, str]:
        """Environment variables for a Lambda function with this configuration; empty if it does not call this."""

    def faults(self) -> list[dict[str, Any]]:
        """The faults in force, each with its number of `hits`."""

    def set_faults(self, faults: list[dict[str, Any]]) -> None:
        """Replace all faults; an empty list resets the simulator. Raises TypeError or ValueError for an unknown one."""


_started: dict[str, Simulator] = {}
_addresses: dict[str, str] = {}


def install() -> None:
    """Start every registered simulator."""
    for entry in importlib.metadata.entry_points(group=GROUP):
        start(entry.name, entry.load())


def start(name: str, simulator: Simulator) -> None:
    """Start one simulator on the clock of localaws."""
    _addresses[name] = simulator.start(clock.advanced)
    _started[name] = simulator


def addresses() -> dict[str, str]:
    """The base URL of each simulator, by name."""
    return dict(_addresses)


def named(name: str) -> Simulator:
    """The simulator with this name; raises ValueError if there is none."""
    if name not in _started:
        raise ValueError(f"there is no simulator {name!r}; there are {', '.join(_started) or 'none'}")
    return _started[name]


def environment(function: Mapping[str, Any]) -> dict[str, str]:
    """The variables that all simulators give to a function with this configuration."""
    return {name: value for one in _started.values() for name, value in one.environment(function).items()}
