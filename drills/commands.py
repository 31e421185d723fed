"""``lake drill``: break something in the lake on this machine, and mend it with the runbook."""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from drills import catalogue, quiet, report, sets
from drills.drill import Drill
from drills.lake import REPOSITORY, Lake
from lake.cli.output import show
from localaws.client import LocalAws

application = typer.Typer(
    help="Break something in the lake on this machine, see the alarm, follow the runbook, prove that it is mended.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON; progress goes to standard error.")]


@application.command("list")
def list_drills(as_json: Json = False) -> None:
    """The drills: id, section of the runbook, cause, and the alarms that it raises."""
    rows = [
        {"drill": drill.id, "section": drill.section, "cause": drill.title, "alarms": " ".join(drill.alarms)}
        for drill in catalogue.drills().values()
    ]
    show(rows, as_json, "Drills")


@application.command()
def run(
    ids: Annotated[list[str], typer.Argument(help="Drills, for example 1a 4d; see `lake drill list`.")],
    as_json: Json = False,
) -> None:
    """Run some drills against the lake that `make demo` has deployed. Ends with 1 when one of them fails."""
    known = catalogue.drills()
    if unknown := [name for name in ids if name not in known]:
        print(f"lake drill: there is no drill {unknown[0]}; there are {', '.join(known)}", file=sys.stderr)
        raise typer.Exit(2)
    _run([known[name] for name in ids], as_json)


@application.command("all")
def run_all(as_json: Json = False) -> None:
    """Run all drills; some ten minutes. The page with the results is build/drills/report.md."""
    _run(list(catalogue.drills().values()), as_json)


@application.command("quiet")
def live_quietly(
    days: Annotated[int, typer.Option(min=1, help="How many simulated days.")] = 7,
    as_json: Json = False,
) -> None:
    """Break nothing, and let days pass: ends with 1 when an alarm rings all the same, or when nothing was at work."""
    lived = quiet.live(_here(), days * 24, lambda line: print(line, file=sys.stderr, flush=True))
    show([{"hours": lived.hours, "false_alarms": lived.false_alarms, **lived.done}], as_json)
    raise typer.Exit(0 if lived.is_quiet else 1)


def _run(drills: Sequence[Drill], as_json: bool) -> None:
    def say(line: str) -> None:
        print(line, file=sys.stderr if as_json else sys.stdout, flush=True)

    results = sets.run(drills, _here(), say)
    page = report.write(results, REPOSITORY / report.FOLDER)
    if as_json:
        print(json.dumps([asdict(result) for result in results], indent=2))
    say(f"\n{sum(result.passed for result in results)} of {len(results)} passed; {page.relative_to(REPOSITORY)}")
    raise typer.Exit(0 if all(result.passed for result in results) else 1)


def _here() -> Lake:
    try:
        aws = LocalAws.here()
    except OSError as error:
        print("lake drill: no lake runs on this machine; `make demo` starts one", file=sys.stderr)
        raise typer.Exit(1) from error
    # Where Terraform keeps its plugins when nobody says anything else.
    usual = REPOSITORY / ".cache/terraform"
    return Lake(aws.home, aws.port, aws.environment, Path(os.environ.get("TF_DATA_DIR", usual)))
