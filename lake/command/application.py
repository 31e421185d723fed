"""The ``lake`` command: look at a deployed platform. Talks to where the AWS credentials and AWS_ENDPOINT_URL point."""

import sys
from dataclasses import asdict
from importlib.metadata import entry_points
from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError

from lake import athena, contract, watch
from lake.command.output import show
from lake.errors import LakeError
from lake.platform import Platform, load

application = typer.Typer(
    name="lake",
    help=__doc__,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog='Example: lake query "SELECT city, count(*) FROM curated_weather GROUP BY city"',
)
quarantine = typer.Typer(help="Records that broke a rule.", no_args_is_help=True)
application.add_typer(quarantine, name="quarantine")

Environment = Annotated[str, typer.Option("--env", envvar="LAKE_ENV", help="Environment that was deployed.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@application.command()
def status(env: Environment = "dev", as_json: Json = False) -> None:
    """Datasets with their newest object and last run, and the state of each alarm.

    Ends with 1 when an alarm is in state ALARM or the last run of a dataset failed.
    """
    platform = load(env)
    datasets, alarms = watch.datasets(platform), watch.alarms(platform)
    if as_json:
        show([{"datasets": datasets, "alarms": alarms}], as_json=True)
    else:
        show(datasets, as_json=False, title="Datasets")
        show(alarms, as_json=False, title="Alarms")
    failed = any(row["last run"] == "FAILED" for row in datasets) or any(row["state"] == "ALARM" for row in alarms)
    raise typer.Exit(1 if failed else 0)


@application.command()
def runs(
    dataset: Annotated[str, typer.Argument(help="Curated dataset; all when not given.")] = "",
    last: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 10,
    env: Environment = "dev",
    as_json: Json = False,
) -> None:
    """What the last runs did, from the ledger: received = new + replaced + duplicate + quarantined."""
    names = [dataset] if dataset else watch.curated()
    for name in names:
        contract.load(name)
    show(watch.runs(load(env), names)[:last], as_json, "Runs")


@application.command()
def query(
    sql: Annotated[str, typer.Argument(help="One statement in Athena's SQL.")],
    env: Environment = "dev",
    as_json: Json = False,
) -> None:
    """Run SQL in the platform's Athena workgroup. The bytes scanned go to standard error."""
    answer = _ask(load(env), sql)
    if as_json:
        show([asdict(answer)], as_json=True)
    else:
        show([dict(zip(answer.columns, row, strict=True)) for row in answer.rows], as_json=False)
    print(f"{answer.bytes_scanned:,} bytes scanned, {len(answer.rows):,} rows", file=sys.stderr)


@quarantine.command("list")
def quarantine_list(
    dataset: Annotated[str, typer.Argument(help="Curated dataset that rejected the records.")],
    last: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 20,
    env: Environment = "dev",
    as_json: Json = False,
) -> None:
    """The records that a dataset has rejected: why, and where they stand in raw."""
    twin = contract.load(dataset).quarantine()
    columns = "arrived_at, array_join(reasons, ' ') AS reasons, source_object, source_line, run_id"
    answer = _ask(load(env), f"SELECT {columns} FROM {twin.name} ORDER BY arrived_at DESC, source_line LIMIT {last}")  # noqa: S608 - names from the contract
    show([dict(zip(answer.columns, row, strict=True)) for row in answer.rows], as_json, f"Quarantine of {dataset}")


def _ask(platform: Platform, sql: str) -> athena.Answer:
    names = platform.names
    return athena.query(platform.client("athena"), names["workgroup"], names["database"], sql)


def main() -> None:
    """Run the command with what other packages add to it; 1 with one sentence when it cannot do what was asked."""
    for point in entry_points(group="lake.commands"):
        addition: Any = point.load()
        application.add_typer(addition, name=point.name)
    try:
        application()
    except (LakeError, BotoCoreError, ClientError) as error:
        print(f"lake: {error}", file=sys.stderr)
        sys.exit(1)
