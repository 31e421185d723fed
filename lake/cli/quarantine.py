"""``lake quarantine``: list, show, fix, replay and discard rejected records."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from lake.cli import job_requests
from lake.cli.options import Environment, Json, Yes, ask
from lake.cli.output import show
from lake.contract import model
from lake.environment.deployment import load
from lake.records.reference import NotARecord, Reference

group = typer.Typer(
    help="""Records that broke a rule: list them, look into one, then fix, replay or discard.

    fix: the record is wrong, and you know what it should say. replay: the record is right, and the rule was wrong or
    has changed. discard: nobody needs the record. Without --yes, all three only show what they would do.""",
    no_args_is_help=True,
)
Dataset = Annotated[str, typer.Argument(help="Curated dataset that rejected the records, e.g. curated_weather.")]
Name = Annotated[str, typer.Argument(metavar="RECORD", help="<source object>:<line>, see 'lake quarantine list'.")]
One = Annotated[str, typer.Option("--record", help="This record, <source object>:<line>.")]
Reason = Annotated[str, typer.Option("--reason", help="Those that broke this rule, e.g. range:temperature_c.")]
Object = Annotated[str, typer.Option("--object", help="Those of this raw object.")]
OfRun = Annotated[str, typer.Option("--run", help="Those that this run rejected.")]
All = Annotated[bool, typer.Option("--all", help="All of them.")]


@group.command("list")
def list_records(
    dataset: Dataset,
    last: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 20,
    env: Environment = "dev",
    as_json: Json = False,
) -> None:
    """List the records that a dataset has rejected: reasons, contract version, place in raw."""
    quarantine = model.load(dataset).quarantine()
    columns = (
        "arrived_at, array_join(reasons, ' ') AS reasons, "
        "source_object || ':' || CAST(source_line AS varchar) AS record, contract_version, run_id"
    )
    query = f"SELECT {columns} FROM {quarantine.name} ORDER BY arrived_at DESC, source_line LIMIT {last}"  # noqa: S608 - names from the contract
    answer = ask(load(env), query)
    rows = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
    show(rows, as_json, f"Quarantine of {dataset}")


@group.command("show")
def show_record(dataset: Dataset, record: Name, env: Environment = "dev", as_json: Json = False) -> None:
    """Decrypt one record and print it in clear.

    It may hold personal data. The caller needs the right to read the pseudonym key, as the role
    …-quarantine-repair-<env> has; the ledger keeps who has decrypted which record, and when.
    Ends with 1 when there is no such record.
    """
    # Parquet and ciphers take longer to import than the other commands to run.
    from lake.maintenance import quarantined_record

    platform = load(env)
    found = quarantined_record.find(platform, dataset, _place(record))
    payload = quarantined_record.decrypted(platform, found, job_requests.caller(platform)).decode(
        "utf-8", "backslashreplace"
    )
    kept = {name: value for name, value in found.fields.items() if name not in ("encrypted_payload", "source_line")}
    row = {**kept, "source_line": found.fields["source_line"], "reasons": " ".join(found.fields["reasons"])}
    show([{**row, "payload": payload}], as_json, f"{dataset}: {record}")


@group.command()
def fix(
    dataset: Dataset,
    record: Name,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="FIELD=VALUE, the value as JSON or else as text; may be repeated.")
    ] = None,
    payload: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="File with the whole corrected record.")
    ] = None,
    yes: Yes = False,
    env: Environment = "dev",
    as_json: Json = False,
) -> None:
    """Correct one record. Raw is not changed: the correction becomes a raw object of its own.

    The contract validates it first; the command ends with 1 when it breaks a rule. With --yes it is stored, the
    rejected record leaves the quarantine, and the next refresh brings the correction to curated. A repetition changes
    nothing.

    Example: lake quarantine fix curated_weather raw/weather/date=2026-11-20/a.json:2 --set temperature_c=9.9 --yes
    """
    from lake.maintenance import quarantined_record

    platform = load(env)
    found = quarantined_record.find(platform, dataset, _place(record))
    if payload is None:
        body = quarantined_record.corrected(
            quarantined_record.decrypted(platform, found, job_requests.caller(platform)), _changes(changes or [])
        )
    else:
        body = payload.read_bytes().strip()
    key = quarantined_record.fixed_key(found, body)
    (validation,) = job_requests.answer(
        platform, dataset, "validate", quarantined_record.encrypted_for_job(platform, found, body)
    )
    reasons = validation["reasons"] or (["one_record:line"] if validation["records"] != 1 else [])
    if yes and not reasons:
        quarantined_record.put(platform, key, body)
        job_requests.done(platform, dataset, "discard", {"record": found.name, "why": f"fixed by {key}"})
    state = "rejected" if reasons else "fixed" if yes else "would be fixed"
    show([{"record": found.name, "state": state, "reasons": " ".join(reasons), "raw object": key}], as_json)
    raise typer.Exit(1 if reasons else 0)


@group.command()
def replay(
    dataset: Dataset,
    record: One = "",
    reason: Reason = "",
    source_object: Object = "",
    run: OfRun = "",
    everything: All = False,
    yes: Yes = False,
    env: Environment = "dev",
    as_json: Json = False,
) -> None:
    """Validate records again under the current contract, from the raw lines they came from.

    Valid records move from quarantine to curated in one run; the others stay. The command can be repeated at will.
    Example: lake quarantine replay curated_weather --reason range:temperature_c --yes
    """
    chosen = _selection(record, reason, source_object, run, everything)
    job_requests.submit(load(env), dataset, "replay", chosen, yes, as_json)


@group.command()
def discard(
    dataset: Dataset,
    why: Annotated[str, typer.Option(help="The reason, for the ledger; no personal data.")],
    record: One = "",
    reason: Reason = "",
    source_object: Object = "",
    run: OfRun = "",
    everything: All = False,
    yes: Yes = False,
    env: Environment = "dev",
    as_json: Json = False,
) -> None:
    """Remove records from the quarantine. Raw keeps them; the ledger keeps who did it, when and why.

    Example: lake quarantine discard curated_weather --record raw/weather/date=2026-11-20/a.json:2 --why "test data"
    """
    chosen = _selection(record, reason, source_object, run, everything)
    job_requests.submit(load(env), dataset, "discard", {**chosen, "why": why}, yes, as_json)


def _selection(record: str, reason: str, source_object: str, run: str, everything: bool) -> dict[str, Any]:
    given: dict[str, Any] = {"record": record, "reason": reason, "source_object": source_object, "run_id": run}
    chosen = {name: value for name, value in {**given, "everything": everything}.items() if value}
    if not chosen:
        raise typer.BadParameter("say which records: --record, --reason, --object, --run, or --all")
    if record:
        _place(record)
    return chosen


def _place(record: str) -> Reference:
    try:
        return Reference.parse(record)
    except NotARecord as error:
        raise typer.BadParameter(str(error)) from error


def _changes(settings: list[str]) -> dict[str, Any]:
    pairs = (setting.partition("=") for setting in settings)
    return {name: _value(text) for name, _, text in pairs}


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
