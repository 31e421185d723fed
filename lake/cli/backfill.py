"""``lake backfill``: plan, preview, run and undo a rebuild of days from raw."""

from datetime import date, datetime
from typing import Annotated, Any

import typer

from lake.cli import job_requests
from lake.cli.options import Environment, Json, Yes, ask
from lake.cli.output import show
from lake.contract import model
from lake.environment.deployment import Platform, load
from lake.maintenance import backfill_plan
from lake.operations.arguments import DAYS_IN_A_RUN

group = typer.Typer(
    help="""Build days of a dataset again from raw, when a rule or a transformation was wrong, or rows are in doubt.

    plan: what it reads and costs, nothing is started. run: compared row by row with what is there; --yes puts in place
    what differs. undo: what was there before a run comes back.""",
    no_args_is_help=True,
)
Dataset = Annotated[str, typer.Argument(help="Curated dataset, e.g. curated_weather.")]
First = Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First day of events, UTC.")]
Last = Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day of events, UTC, included.")]
Days = Annotated[int, typer.Option(min=1, help="Days that one run builds; what dies is built again, the rest is not.")]


@group.command()
def plan(
    dataset: Dataset,
    first: First,
    last: Last,
    days: Days = DAYS_IN_A_RUN,
    env: Environment = "dev",
    as_json: Json = False,
) -> None:
    """Estimate what rebuilding these days would read and cost, from past runs. Starts nothing.

    Example: lake backfill plan curated_weather --from 2026-11-01 --to 2026-11-30
    """
    _check(first, last)
    platform = load(env)
    found = backfill_plan.plan(platform, dataset, first.date(), last.date(), days)
    rows = _rows(platform, dataset, first.date(), last.date())
    show([{**found.row(), "rows now": rows}], as_json, f"Backfill of {dataset}")


@group.command()
def run(
    dataset: Dataset,
    first: First,
    last: Last,
    days: Days = DAYS_IN_A_RUN,
    allow_loss: Annotated[
        bool,
        typer.Option("--allow-loss", help="Rows that raw does not give again may go; without it they stop the run."),
    ] = False,
    yes: Yes = False,
    env: Environment = "dev",
    as_json: Json = False,
) -> None:
    """Rebuild these days and compare: rows equal, changed, missing, added. With --yes, replace what differs.

    The next run finishes one that died: give the same command again. Ends with 1 when rows would be lost.
    """
    _check(first, last)
    window = {"first": first.date().isoformat(), "last": last.date().isoformat(), "days": days}
    job_requests.submit(load(env), dataset, "backfill", {**window, "allow_loss": allow_loss}, yes, as_json)


@group.command()
def undo(
    dataset: Dataset,
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="A committed run of any kind, see 'lake runs'.")],
    yes: Yes = False,
    env: Environment = "dev",
    as_json: Json = False,
) -> None:
    """Restore the table as it was before a run, file by file, as a run of its own.

    Refused when a later run has changed one of the files: undo that first. Old versions are kept for 30 days. What a
    refresh had read stays read: 'lake backfill run' brings its records again.
    """
    job_requests.submit(load(env), dataset, "undo", {"run": run_id}, yes, as_json)


def _check(first: datetime, last: datetime) -> None:
    if first > last:
        raise typer.BadParameter(f"the window ends on {last:%Y-%m-%d}, before it begins on {first:%Y-%m-%d}")


def _rows(platform: Platform, dataset: str, first: date, last: date) -> Any:
    name = model.load(dataset).name
    sql = f"SELECT count(*) FROM {name} WHERE date BETWEEN DATE '{first}' AND DATE '{last}'"  # noqa: S608 - from the contract, and dates
    return int(ask(platform, sql).rows[0][0] or 0)
