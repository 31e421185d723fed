"""The ``lake`` command: inspect a deployed platform and repair its data.

It uses the AWS credentials and AWS_ENDPOINT_URL of the environment.
"""

import json
import os
import sys
from dataclasses import asdict
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError

from lake.cli import backfill, job_requests, keys, new, quarantine, redelivery, rollback
from lake.cli.erase import erase
from lake.cli.options import Environment, Json, Yes, ask
from lake.cli.output import show
from lake.cli.rows import (
    cost_rows,
    cost_summary,
    difference_rows,
    difference_summary,
    run_rows,
    show_state,
    state_summary,
)
from lake.contract import model
from lake.core.errors import LakeError
from lake.environment import cost, health, inventory, names, plan_cost, usage
from lake.environment.deployment import PROJECT_VARIABLE, load

application = typer.Typer(
    name="lake",
    help=__doc__,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog='Example: lake query "SELECT city, count(*) FROM curated_weather GROUP BY city"',
)
application.add_typer(quarantine.group, name="quarantine")
application.add_typer(backfill.group, name="backfill")
application.add_typer(keys.group, name="keys")
application.add_typer(redelivery.application, name="redeliver")
application.add_typer(rollback.application, name="rollback")
application.add_typer(new.group, name="new")
application.command()(erase)


@application.callback()
def choose(
    project: Annotated[
        str, typer.Option(help="First part of the names of the lake that is meant, when an account has several.")
    ] = "",
) -> None:
    """Choose the project for the command and for all that it starts; LAKE_PROJECT does the same."""
    if project:
        os.environ[PROJECT_VARIABLE] = project


@application.command("names")
def show_names(env: Environment = "dev", as_json: Json = False) -> None:
    """Print the names of all deployed parts as shell variables, for example $BUCKET: eval "$(lake names)"."""
    platform = load(env)
    if as_json:
        show([names.variables(platform)], as_json=True)
    else:
        print(names.commands(platform))


@application.command()
def status(
    env: Environment = "dev",
    as_json: Json = False,
    all_alarms: Annotated[bool, typer.Option("--all", help="On a terminal, the alarms in state OK too.")] = False,
) -> None:
    """Show datasets with freshness and last run, alarms, and problems with their section of the runbook.

    Ends with 1 when there is a problem: an alarm in ALARM, data older than promised, a last run that failed, or a part
    that could not be read.
    """
    platform = load(env)
    seen = health.load(platform)
    problems = health.problems(seen)
    if as_json:
        show([state_summary(seen, problems)], as_json=True)
    else:
        terminal = sys.stdout.isatty()
        show_state(seen, problems, every_alarm=all_alarms or not terminal, narrow=terminal)
    raise typer.Exit(1 if problems else 0)


@application.command()
def runs(
    dataset: Annotated[str, typer.Argument(help="Curated dataset; all when not given.")] = "",
    last: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 10,
    env: Environment = "dev",
    as_json: Json = False,
) -> None:
    """Show the last runs from the ledger: received = new + replaced + duplicate + quarantined."""
    wanted = [dataset] if dataset else inventory.curated()
    for name in wanted:
        model.load(name)
    show(run_rows(inventory.runs(load(env), wanted)[:last]), as_json, "Runs")


@application.command()
def abandon(
    dataset: Annotated[str, typer.Argument(help="Curated dataset, e.g. curated_weather.")],
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The prepared run, see 'lake runs'.")],
    yes: Yes = False,
    env: Environment = "dev",
    as_json: Json = False,
) -> None:
    """Give up a run that was prepared and cannot be finished, so that the next run of the dataset can work.

    Every run of a dataset first finishes the one that was prepared before it. Where that fails each time, because
    somebody else has changed a partition file, this is the way out. A run whose staged objects are gone is given up by
    the next one itself. Partition files that it has published stay. What a refresh had read is read again; after
    another kind of run look with 'lake backfill run'. Without --yes: how many files it has published.

    Example: lake abandon curated_weather 20261120T120001Z-12345678 --yes
    """
    platform = load(env)
    if not yes:
        show(job_requests.answer(platform, dataset, "abandon", {"run": run_id}), as_json, f"Run of {dataset}")
        if not as_json:
            print("Nothing was changed; --yes does it.")
        return
    job_requests.done(platform, dataset, "abandon", {"run": run_id})
    show(run_rows([run for run in inventory.runs(platform, [dataset]) if run.run_id == run_id]), as_json, "Runs")


@application.command()
def query(
    sql: Annotated[str, typer.Argument(help="One statement in Athena's SQL.")],
    env: Environment = "dev",
    as_json: Json = False,
) -> None:
    """Run SQL in the platform's Athena workgroup. The bytes scanned go to standard error."""
    answer = ask(load(env), sql)
    if as_json:
        show([asdict(answer)], as_json=True)
    else:
        show([dict(zip(answer.columns, row, strict=True)) for row in answer.rows], as_json=False)
    print(f"{answer.bytes_scanned:,} bytes scanned, {len(answer.rows):,} rows", file=sys.stderr)


@application.command("cost")
def estimate_cost(
    plan: Annotated[
        Path | None,
        typer.Option(help="JSON of a Terraform plan (terraform show -json): by how much it changes the cost."),
    ] = None,
    env: Environment = "dev",
    as_json: Json = False,
) -> None:
    """Estimate the monthly cost from the usage since the deployment, at most the last 30 days.

    With --plan: the difference that a plan makes at a documented base load, which asks no account. Assumptions and
    omissions of the estimate go to standard error. Ends with 1 when a service could not be asked.
    """
    if plan is not None:
        show_difference(plan, as_json=as_json)
        return
    platform = load(env)
    window = usage.window(platform)
    found = cost.estimate(usage.measured(platform, window), window)
    if as_json:
        show([cost_summary(found)], as_json=True)
    else:
        show(cost_rows(found), as_json=False, title=f"Estimated cost of {env} in USD a month: {found.headline}")
    print(cost.caveat(found), file=sys.stderr)
    raise typer.Exit(1 if any(line.usage.failed for line in found.lines) else 0)


def show_difference(plan: Path, as_json: bool) -> None:
    """Print by how much a plan changes the monthly cost; raises LakeError when the file is no plan."""
    try:
        found = plan_cost.difference(json.loads(plan.read_text(encoding="utf-8")))
    except (OSError, ValueError, AttributeError, KeyError) as error:
        raise LakeError(f"{plan} is no plan as 'terraform show -json' prints it: {error!r}") from error
    if as_json:
        show([difference_summary(found)], as_json=True)
    else:
        show(difference_rows(found), as_json=False, title="Change of the cost a month, at the base load")
    print("\n".join([found.summary, *plan_cost.assumptions()]), file=sys.stderr)


@application.command("report")
def write_report(
    output: Annotated[Path, typer.Option(help="Where the page goes.")] = Path("build/report.html"),
    runbook: Annotated[
        str,
        typer.Option(
            help="Address of RUNBOOK.md, beside which docs/runbooks is; the file of this checkout if not given."
        ),
    ] = "",
    env: Environment = "dev",
) -> None:
    """Write one page: flow, freshness, quality, quarantine, alarms, runs, cost. It needs no other file and no network.

    Ends with 1 when a part could not be read; the page says which and why, and shows the others.
    """
    # The template engine takes longer to import than the other commands to run.
    from lake.report import page

    failures = page.write(load(env), output, runbook)
    print(f"the page: {output}")
    for part, reason in failures.items():
        print(f"lake: {part} could not be read: {reason}", file=sys.stderr)
    raise typer.Exit(1 if failures else 0)


def main() -> None:
    """Run the command, with the subcommands of other packages; returns 1 and prints one sentence on an error."""
    for point in entry_points(group="lake.commands"):
        addition: Any = point.load()
        application.add_typer(addition, name=point.name)
    try:
        application()
    except (LakeError, BotoCoreError, ClientError) as error:
        print(f"lake: {error}", file=sys.stderr)
        sys.exit(1)
