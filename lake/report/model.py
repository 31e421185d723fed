"""The data of the report: ``gather`` fills it from a platform, ``page`` renders it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lake.environment import health
from lake.environment.alarms import Change
from lake.environment.cost import Estimate
from lake.environment.health import Problem, State
from lake.environment.inventory import Run
from lake.environment.partial_results import PartialResult
from lake.environment.timeseries import Point

HISTORY = timedelta(days=7)


@dataclass(frozen=True)
class Node:
    """One step of the flow. ``kind`` is its column, ``lanes`` what it spans, ``state`` is ok, bad or none.

    ``failure`` says why nothing could be read of it.
    """

    name: str
    kind: str
    lanes: tuple[int, ...]
    lines: tuple[str, ...]
    state: str = "none"
    failure: str = ""

    @property
    def label(self) -> str:
        """The name without its kind, which stands above it."""
        return self.name.removeprefix("quarantine_").removeprefix("curated_").removeprefix("raw_")


@dataclass(frozen=True)
class Flow:
    """The steps, and from which to which data goes, by name."""

    nodes: tuple[Node, ...]
    edges: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Reason:
    """A broken rule and how many records of a dataset are in quarantine for it; ``newest``: when the last arrived."""

    rule: str
    records: int
    newest: str


@dataclass(frozen=True)
class Report:
    """All data of the report, each part with its origin. Series and quarantine are by dataset, changes newest first.

    ``since`` is when the history begins that is shown.
    """

    state: State
    since: datetime
    account: str
    region: str
    flow: PartialResult[Flow]
    freshness: PartialResult[Mapping[str, tuple[Point, ...]]]
    ratios: PartialResult[Mapping[str, tuple[Point, ...]]]
    runs: PartialResult[list[Run]]
    quarantine: Mapping[str, PartialResult[list[Reason]]]
    changes: PartialResult[list[Change]]
    cost: PartialResult[Estimate]

    @property
    def now(self) -> datetime:
        """Return the timestamp of the snapshot (UTC)."""
        return self.state.now

    @property
    def failures(self) -> dict[str, str]:
        """Return the parts that could not be read, by name, each with the reason."""
        named: dict[str, PartialResult[Any]] = {
            "the datasets": self.state.datasets,
            "the alarms": self.state.alarms,
            "the flow": self.flow,
            "the history of freshness": self.freshness,
            "the history of quality": self.ratios,
            "the runs": self.runs,
            **{f"the quarantine of {name}": part for name, part in self.quarantine.items()},
            "the history of the alarms": self.changes,
            "the cost": self.cost,
        }
        nodes = self.flow.value.nodes if self.flow.value else ()
        lines = self.cost.value.lines if self.cost.value else ()
        return {
            **{name: part.failure for name, part in named.items() if part.value is None},
            **{f"the {node.kind} {node.label}": node.failure for node in nodes if node.failure},
            **{f"the cost of {line.usage.service}": line.usage.note for line in lines if line.usage.failed},
        }

    @property
    def problems(self) -> list[Problem]:
        """Return the problems, parts that could not be read included."""
        unread = [Problem(f"Could not be read: {', '.join(self.failures)}. Below stands why.")] if self.failures else []
        return [*unread, *health.seen(self.state)]
