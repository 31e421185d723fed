"""``lake erase``: erase all stored records of one subject."""

import sys
from typing import Annotated

import typer

from lake.cli import job_requests
from lake.cli.options import Environment, Json, Yes
from lake.contract import model
from lake.contract.model import Contract
from lake.environment.deployment import Platform, load, load_as
from lake.maintenance import quarantined_record, redelivery
from lake.operations.erasure.data_subject import DataSubject
from lake.pseudonyms import encryption


def erase(
    dataset: Annotated[str, typer.Argument(help="Curated dataset with pseudonyms, e.g. curated_sensor_readings.")],
    subject: Annotated[
        str,
        typer.Option(prompt=True, hide_input=True, help="Identifier as the source sends it; asked for when not given."),
    ],
    yes: Yes = False,
    env: Environment = "dev",
    as_json: Json = False,
) -> None:
    """Erase one subject: rows, rejected records, raw lines, failed deliveries, and every old version that holds them.

    It cannot be undone. Lines are emptied and keep their number, so the records of others stay where they are. What no
    run has read yet is counted as unread and stays: repeat the command after the next run. The ledger keeps who has
    erased, when, and the subject's tokens.

    Example: lake erase curated_sensor_readings --subject sensor-3 --yes
    """
    target, platform = model.load(dataset), load(env)
    DataSubject.of(target, subject)
    source = redelivery.stream(platform, target.domain)
    where = {"stream": source.name, "errors": source.errors.uri}
    encrypted = _encrypted(load_as(env, "key_role"), dataset, subject)
    job_requests.submit(platform, dataset, "erase", {**where, **encrypted}, yes, as_json)
    if others := also_of(target):
        print(f"lake: the subject may be in {', '.join(others)} too, made from {target.source}", file=sys.stderr)


def also_of(target: Contract) -> list[str]:
    """Return the other datasets with pseudonyms that are made from the same source."""
    loaded = (model.read(path) for path in model.files())
    same = [other for other in loaded if other.source == target.source and other.encrypted]
    return [other.name for other in same if other.name != target.name]


def _encrypted(platform: Platform, dataset: str, subject: str) -> dict[str, str | int]:
    """Return the subject encrypted for the job's arguments, which are logged."""
    versions = quarantined_record.versions(platform)
    newest = max(key.version for key in versions)
    return {
        "key_version": newest,
        "encrypted_payload": encryption.encrypted(dataset, versions, newest, subject.encode()),
    }
