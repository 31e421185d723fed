"""``lake keys``: begin, list and rotate the versions of the pseudonym key."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from lake.cli import job_requests
from lake.cli.options import Environment, Json, Yes
from lake.cli.output import show
from lake.environment.deployment import load, load_as
from lake.maintenance import key_rotation

# What reads the key, reads it as this role; an administrator has no right to.
_ROLE = "key_role"
group = typer.Typer(
    help="""The key that makes pseudonyms, v1:… or v2:…, in versions. No command prints a key.

    A version counts for events from its time on, so a record keeps its pseudonym however late or often it is read.""",
    no_args_is_help=True,
)


@group.command()
def init(env: Environment = "dev", as_json: Json = False) -> None:
    """Write the first version of the key, which 'make apply' does too. Refused when there is any.

    Needs the right to write the secret and to list its versions, not to read it.
    """
    show(key_rotation.begin(load(env)), as_json, "Versions of the pseudonym key")


@group.command("list")
def list_versions(env: Environment = "dev", as_json: Json = False) -> None:
    """List the key versions and the event times that they are for."""
    show(key_rotation.schedule(load_as(env, _ROLE)), as_json, "Versions of the pseudonym key")


@group.command()
def rotate(
    valid_from: Annotated[
        datetime, typer.Option("--from", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"], help="First event time, UTC.")
    ],
    yes: Yes = False,
    env: Environment = "dev",
    as_json: Json = False,
) -> None:
    """Add a version for events from a time on. Old rows keep their pseudonyms; new ones do not join with them.

    Refused when the time is not at least two hours away or not after the last version's. Who may do this is who may
    assume the role of the key's keeper. Example: lake keys rotate --from 2027-01-01 --yes
    """
    platform = load_as(env, _ROLE)
    rows = key_rotation.rotate(platform, valid_from.replace(tzinfo=UTC), store=yes)
    show(rows, as_json, "Versions of the pseudonym key")
    if not yes and not as_json:
        print("Nothing was changed; --yes does it.")


@group.command()
def rekey(
    dataset: Annotated[str, typer.Argument(help="Curated dataset with pseudonyms, e.g. curated_sensor_readings.")],
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First day of events, UTC.")],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day of events, UTC, included.")],
    version: Annotated[int, typer.Option(min=1, help="Version of the key, see 'lake keys list'.")],
    yes: Yes = False,
    env: Environment = "dev",
    as_json: Json = False,
) -> None:
    """Give the rows of some days the pseudonyms of another version, so that they join with days that have it.

    The days are built again from raw, and stay with that version whatever reaches them later. 'lake backfill undo'
    takes it back. Example: lake keys rekey curated_sensor_readings --from 2026-12-01 --to 2026-12-31 --version 2
    """
    days = {"first": first.date().isoformat(), "last": last.date().isoformat()}
    job_requests.submit(load(env), dataset, "rekey", {**days, "version": version}, yes, as_json)
