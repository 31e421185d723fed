"""``lake drill``: break something in the lake on this machine, and mend it with the runbook."""

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from drills import catalogue, report, runbook
from drills.drill import Drill
from drills.lake import Lake
from drills.run import Result, Runner, Say
from lake.command.output import show
from localaws.connection import REPOSITORY, LocalAws, running

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


def _run(drills: Sequence[Drill], as_json: bool) -> None:
    def say(line: str) -> None:
        print(line, file=sys.stderr if as_json else sys.stdout, flush=True)

    results = [result for drill in drills for result in [run_one(drill, _here(), say)]]
    page = report.write(results, REPOSITORY / report.FOLDER)
    if as_json:
        print(json.dumps([asdict(result) for result in results], indent=2))
    say(f"\n{sum(result.passed for result in results)} of {len(results)} passed; {page.relative_to(REPOSITORY)}")
    raise typer.Exit(0 if all(result.passed for result in results) else 1)


def run_one(drill: Drill, lake: Lake, say: Say) -> Result:
    """Run one drill: against this lake, or in an account of its own when it needs one in which nothing is."""
    say(f"{drill.id}  {drill.title}")
    with _account(drill, lake) as account:
        result = Runner(account, runbook.load(), say).run(drill)
    say(f"  {'passed' if result.passed else 'FAILED'} in {result.wall_seconds} s")
    return result


@contextmanager
def _account(drill: Drill, lake: Lake) -> Iterator[Lake]:
    if not drill.fresh_account:
        yield lake
        return
    with tempfile.TemporaryDirectory(prefix="drill-") as folder, running(Path(folder) / "home") as aws:
        yield Lake(aws.home, aws.port, aws.environment, Path(folder) / "terraform")


def _here() -> Lake:
    try:
        aws = LocalAws.here()
    except OSError as error:
        print("lake drill: no lake runs on this machine; `make demo` starts one", file=sys.stderr)
        raise typer.Exit(1) from error
    # Where Terraform keeps its plugins when nobody says anything else.
    usual = REPOSITORY / "terraform/envs/dev/.terraform"
    return Lake(aws.home, aws.port, aws.environment, Path(os.environ.get("TF_DATA_DIR", usual)))
