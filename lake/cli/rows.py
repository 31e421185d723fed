"""Convert the lake's objects to the rows that commands print."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from lake.cli.output import show
from lake.environment.alarms import Alarm
from lake.environment.cost import Estimate, Line
from lake.environment.deployment import project
from lake.environment.health import Problem, State, text
from lake.environment.inventory import Dataset, Run
from lake.environment.plan_cost import Difference
from lake.records import drift

_COUNTS = ("received", "new", "replaced", "duplicate", "quarantined")


def show_state(state: State, problems: Sequence[Problem], every_alarm: bool, narrow: bool) -> None:
    """Print datasets, alarms and problems; ``narrow`` for a terminal. What could not be read is among the problems."""
    if state.datasets.value is not None:
        rows = [dataset_row(dataset, state.now) for dataset in state.datasets.value]
        title = f"Datasets of {state.environment}, {state.now:%Y-%m-%d %H:%M:%S} UTC"
        if narrow:
            show(_only(rows, "dataset", "state", "age", "limit", "objects", "bytes"), as_json=False, title=title)
            show(_only([row for row in rows if row["last run"]], "dataset", "last run", *_COUNTS), False, "Last runs")
        else:
            show(rows, as_json=False, title=title)
    if state.alarms.value is not None:
        shown = [alarm for alarm in state.alarms.value if every_alarm or alarm.state != "OK"]
        well = len(state.alarms.value) - len(shown)
        rows = [alarm_row(alarm) for alarm in shown]
        if narrow:
            rows = [{**row, "alarm": row["alarm"].removeprefix(f"{project()}-")} for row in rows]
            rows = _only(rows, "alarm", "state", "since", "what to do")
        show(rows, as_json=False, title=f"Alarms{f' ({well} more are OK)' if well else ''}")
    show([_problem_row(problem) for problem in problems], as_json=False, title="Needs attention")


def _only(rows: Sequence[dict[str, Any]], *columns: str) -> list[dict[str, Any]]:
    return [{column: row[column] for column in columns} for row in rows]


def state_summary(state: State, problems: Sequence[Problem]) -> dict[str, Any]:
    """Return the snapshot for JSON output; None for a part that could not be read."""
    datasets, alarms = state.datasets.value, state.alarms.value
    return {
        "environment": state.environment,
        "now": state.now.isoformat(),
        "datasets": None if datasets is None else [dataset_row(dataset, state.now) for dataset in datasets],
        "alarms": None if alarms is None else [alarm_row(alarm) for alarm in alarms],
        "problems": [_problem_row(problem) for problem in problems],
    }


def dataset_row(dataset: Dataset, now: datetime) -> dict[str, Any]:
    """One dataset; the counts are those of its last run."""
    run = dataset.last_run
    return {
        "dataset": dataset.name,
        "objects": dataset.objects,
        "bytes": dataset.size,
        "newest": f"{dataset.newest:%Y-%m-%d %H:%M:%S}" if dataset.newest else "never",
        "last run": run.status if run else "",
        "age": _text(dataset.age(now)),
        "limit": _text(dataset.limit),
        "state": dataset.state(now),
        **{name: getattr(run, name) if run else None for name in _COUNTS},
    }


def alarm_row(alarm: Alarm) -> dict[str, Any]:
    """Return one alarm as a row; with its remedy only in ALARM."""
    return {
        "alarm": alarm.name,
        "state": alarm.state,
        "since": f"{alarm.since:%Y-%m-%d %H:%M:%S}",
        "what to do": alarm.link if alarm.state == "ALARM" else "",
        "reason": alarm.reason,
    }


def _problem_row(problem: Problem) -> dict[str, Any]:
    return {"problem": problem.text, "what to do": problem.link}


def _text(duration: timedelta | None) -> str:
    return "" if duration is None else text(duration)


def run_rows(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """One row a run."""
    columns = (
        "run_id", "dataset", "kind", "status", "received", "new", "replaced", "duplicate", "quarantined", "reason",
    )  # fmt: skip
    return [
        {
            **{column: getattr(run, column) for column in columns},
            "drift": drift.said(run.drift, "{} {}"),
        }
        for run in runs
    ]


def cost_rows(estimate: Estimate) -> list[dict[str, Any]]:
    """One row a line of the estimate, the sum last; empty where nothing is known."""
    total = {"service": "total", "what": "", "used": "", "price": "", "USD a month": f"{estimate.usd_a_month:.2f}"}
    return [*(_cost_row(line) for line in estimate.lines), {**total, "note": ""}]


def _cost_row(line: Line) -> dict[str, Any]:
    usage, usd = line.usage, line.usd_a_month
    return {
        "service": usage.service,
        "what": usage.what,
        "used": "unknown" if usage.amount is None else f"{usage.amount:,.6g}",
        "price": line.price.text,
        "USD a month": "unknown" if usd is None else f"{usd:.2f}",
        "note": usage.note,
    }


def difference_rows(difference: Difference) -> list[dict[str, Any]]:
    """One row for each resource whose cost changes, then the types that have no price, the sum last."""
    rows = [
        {"resource": change.address, "before": f"{change.before:.2f}", "after": f"{change.after:.2f}",
         "USD a month": f"{change.difference:+.2f}"}
        for change in difference.changes
    ]  # fmt: skip
    without = [
        {"resource": f"{number} {kind}", "before": "", "after": "", "USD a month": "not priced"}
        for kind, number in difference.unpriced.items()
    ]
    total = {"resource": "total", "before": "", "after": "", "USD a month": f"{difference.usd_a_month:+.2f}"}
    return [*rows, *without, total]


def difference_summary(difference: Difference) -> dict[str, Any]:
    """The difference as JSON has it."""
    changes = [{**asdict(change), "difference": change.difference} for change in difference.changes]
    return {"usd_a_month": difference.usd_a_month, "changes": changes, "unpriced": dict(difference.unpriced)}


def cost_summary(estimate: Estimate) -> dict[str, Any]:
    """The estimate as JSON has it, with the source of each price."""
    lines = [
        {
            **asdict(line.usage),
            "price": {**asdict(line.price), "name": line.usage.price},
            "usd_a_month": line.usd_a_month,
        }
        for line in estimate.lines
    ]
    window = {"start": estimate.window.start.isoformat(), "end": estimate.window.end.isoformat()}
    about = {"region": estimate.region, "window": window, "left_out": list(estimate.left_out)}
    return {**about, "headline": estimate.headline, "usd_a_month": estimate.usd_a_month, "lines": lines}
