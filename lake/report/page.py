"""The report as one HTML page that needs no other file: readable on a phone, in light and dark, on paper."""

import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import markupsafe

from lake.contract import model
from lake.environment import inventory
from lake.environment.alarms import Change
from lake.environment.alarms import page as runbook_page
from lake.environment.cost import caveat
from lake.environment.deployment import Platform, project
from lake.environment.health import text
from lake.environment.timeseries import Point
from lake.report import charts, gather, layout
from lake.report.flow import size
from lake.report.model import Report

_RUNS = 20
_CHANGES = 40
_CENT = 0.005
_RUNBOOK = runbook_page(None)
_RATIO_ALARM = "quarantine-ratio"
_STATES = {
    "ALARM": "bad",
    "OK": "ok",
    "fresh": "ok",
    "stale": "bad",
    "COMMITTED": "ok",
    "FAILED": "bad",
    "ABANDONED": "bad",
}


def write(platform: Platform, output: Path, runbook: str = "") -> dict[str, str]:
    """Look at the platform and write the page; returns the parts that could not be read, each with the reason."""
    report = gather.report(platform)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(rendered(report, runbook or _runbook(output)), encoding="utf-8")
    return report.failures


def _runbook(output: Path) -> str:
    """The way from the page to RUNBOOK.md: beside it in a checkout, wherever the page goes."""
    here = Path(__file__).parents[2] / _RUNBOOK
    return os.path.relpath(here, output.absolute().parent) if here.exists() else here.name


def rendered(report: Report, runbook: str) -> str:
    """The page; ``runbook`` is the address of RUNBOOK.md, beside which the pages of the pipelines are."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("lake.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"duration": _duration, "moment": _moment, "size": size, "usd": _usd, "tone": _tone}
    environment.filters |= {"breakable": _breakable, "short": _short}
    beside = runbook.removesuffix(_RUNBOOK)
    page = environment.get_template("page.html.jinja")
    return page.render(report=report, beside=beside, style=_style(), **_derived(report)) + "\n"


def _style() -> str:
    return files("lake.report").joinpath("page.css").read_text(encoding="utf-8")


def _derived(report: Report) -> dict[str, Any]:
    """Return the values that the template shows but does not compute."""
    runs = report.runs.value or []
    lines = report.cost.value.lines if report.cost.value else ()
    return {
        "project": project(),
        "history": text(report.now - report.since),
        "pictures": [draw(report.flow.value) for draw in (layout.wide, layout.narrow)] if report.flow.value else [],
        "curves": _curves(report),
        "fresh": sum(dataset.state(report.now) == "fresh" for dataset in report.state.datasets.value or []),
        "bars_of": {
            name: charts.bars([run for run in runs if run.dataset == name], _RUNS) for name in inventory.curated()
        },
        "bands": _bands(report),
        "recent": runs[:_RUNS],
        # What arrived: a derived row is none, its inputs are counted.
        "last_day": [
            run
            for run in runs
            if run.started_at > report.now - timedelta(days=1) and model.load(run.dataset).has_quarantine
        ],
        "changes": [change for change in report.changes.value or [] if not _is_beginning(change)],
        "most_changes": _CHANGES,
        "empty": all(dataset.current_to is None for dataset in report.state.datasets.value or []),
        "curated": [model.load(name) for name in inventory.curated()],
        "cost_lines": [line for line in lines if line.usd_a_month is None or line.usd_a_month >= _CENT],
        "cents": [line for line in lines if line.usd_a_month is not None and line.usd_a_month < _CENT],
        "caveat": caveat(report.cost.value) if report.cost.value else "",
        "counts": charts.COUNTS,
    }


def _curves(report: Report) -> dict[str, dict[str, charts.Curve]]:
    """Freshness and quarantine ratio of each dataset that has any values, by name."""
    limits = {dataset.name: dataset.contract.freshness_seconds for dataset in report.state.datasets.value or []}

    def drawn(
        series: Mapping[str, Sequence[Point]] | None, limits: Mapping[str, float | None]
    ) -> dict[str, charts.Curve]:
        found = {name: points for name, points in (series or {}).items() if points}
        return {
            name: charts.curve(points, report.since, report.now, limits.get(name)) for name, points in found.items()
        }

    return {
        "freshness": drawn(report.freshness.value, limits),
        "ratios": drawn(report.ratios.value, _ratio_limits(report)),
    }


def _ratio_limits(report: Report) -> dict[str, float]:
    """Return the threshold of the quarantine ratio's alarm for each dataset."""
    alarms = report.state.alarms.value or []
    limits = [alarm.threshold for alarm in alarms if alarm.section.endswith(_RATIO_ALARM)]
    return {name: limit for name in report.ratios.value or {} for limit in limits}


def _bands(report: Report) -> dict[str, list[charts.Bar]]:
    if report.changes.value is None:
        return {}
    alarms = report.state.alarms.value or []
    return {alarm.name: charts.band(alarm, report.changes.value, report.since, report.now) for alarm in alarms}


def _is_beginning(change: Change) -> bool:
    """Return True for the first state change of a new alarm."""
    return (change.before, change.after) == ("INSUFFICIENT_DATA", "OK")


def _duration(value: timedelta | float | None) -> str:
    if value is None:
        return ""
    return text(value if isinstance(value, timedelta) else timedelta(seconds=value))


def _moment(value: datetime | None) -> str:
    return f"{value:%Y-%m-%d %H:%M}" if value else "never"


def _short(alarm: str) -> str:
    return alarm.removeprefix(f"{project()}-")


def _breakable(name: str) -> markupsafe.Markup:
    """A name that may go on in the next line after each underscore."""
    return markupsafe.escape(name).replace("_", markupsafe.Markup("_<wbr>"))


def _usd(value: float | None) -> str:
    if value is None:
        return "unknown"
    return "< 0.01" if 0 < value < _CENT else f"{value:,.2f}"


def _tone(state: str) -> str:
    return _STATES.get(state, "quiet")
