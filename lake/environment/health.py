"""Health of the lake: datasets and alarms at one moment, and the problems in them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lake.environment import alarms, inventory, partial_results
from lake.environment.alarms import Alarm
from lake.environment.deployment import Platform
from lake.environment.inventory import Dataset
from lake.environment.partial_results import PartialResult
from lake.records import drift


@dataclass(frozen=True)
class State:
    """A snapshot of datasets and alarms, taken at ``now`` (UTC, the platform's clock)."""

    environment: str
    now: datetime
    datasets: PartialResult[list[Dataset]]
    alarms: PartialResult[list[Alarm]]


@dataclass(frozen=True)
class Problem:
    """One problem; ``link`` leads to its section of the runbook as that of an alarm does, empty if there is none."""

    text: str
    link: str = ""


def load(platform: Platform) -> State:
    """Take a snapshot of the platform; a source that cannot be read becomes a partial result, never an error."""
    return State(
        platform.environment,
        inventory.now(platform),
        partial_results.read("bucket, ledger, contracts", lambda: inventory.datasets(platform)),
        partial_results.read("CloudWatch", lambda: alarms.current(platform)),
    )


def problems(state: State) -> list[Problem]:
    """Return all problems of the snapshot, parts that could not be read included; empty when healthy."""
    named: dict[str, PartialResult[Any]] = {"alarms": state.alarms, "datasets": state.datasets}
    failures = [
        Problem(f"The {name} could not be read: {part.failure}") for name, part in named.items() if part.failure
    ]
    return [*failures, *seen(state)]


def seen(state: State) -> list[Problem]:
    """Return the problems in the sources that could be read, without those that an alarm reports already."""
    said = list(_of_alarms(state))
    freshness = {problem.link for problem in said if problem.link.endswith("-freshness")}
    return [*said, *(problem for problem in _of_datasets(state) if problem.link not in freshness)]


def text(duration: timedelta) -> str:
    """Return a duration as text, e.g. ``1 h 05 min``."""
    minutes, seconds = divmod(int(duration.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes:02} min" if minutes else f"{hours} h"
    return f"{minutes} min" if minutes else f"{seconds} s"


def _of_alarms(state: State) -> Iterator[Problem]:
    for alarm in state.alarms.value or []:
        if alarm.state == "ALARM":
            name = alarm.section or alarm.name
            yield Problem(f"{name} is in ALARM since {alarm.since:%m-%d %H:%M}. {alarm.meaning}", alarm.link)


def _of_datasets(state: State) -> Iterator[Problem]:
    for dataset in state.datasets.value or []:
        name, run, age = dataset.name, dataset.last_run, dataset.age(state.now)
        if dataset.state(state.now) == "stale" and age and dataset.limit:
            link = _link(state, dataset, f"{name.replace('_', '-')}-freshness")
            yield Problem(f"{name} is {text(age)} old; its limit is {text(dataset.limit)}.", link)
        if run and run.status in ("FAILED", "ABANDONED"):
            yield Problem(f"The last run of {name} failed: {run.reason}", _link(state, dataset, "failures"))
        if run and run.status == "COMMITTED" and run.unreconciled:
            lost = f"Records unreconciled in the last run of {name}: {run.unreconciled}."
            yield Problem(lost, _link(state, dataset, "reconciliation"))
        if run and run.drift:
            changes = drift.said(run.drift, "{} ({})")
            drifted = f"Schema drift in the last run of {name}: {changes}."
            yield Problem(drifted, _link(state, dataset, "schema-drift"))


def _link(state: State, dataset: Dataset, kind: str) -> str:
    """The link of the one alarm of the dataset's pipeline whose name ends with ``kind``; empty if there are others."""
    links = [alarm.link for alarm in state.alarms.value or [] if f"-{alarm.section}".endswith(f"-{kind}")]
    found = [link for link in links if link.partition("#")[0] == alarms.page(dataset.contract.domain)]
    return found[0] if len(found) == 1 else ""
