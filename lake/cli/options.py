"""Options that several commands share, and their query of Athena."""

from typing import Annotated

import typer

from lake.environment import athena
from lake.environment.deployment import Platform

Environment = Annotated[str, typer.Option("--env", envvar="LAKE_ENV", help="Environment that was deployed.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it. Without this, only show what would be done.")]


def ask(platform: Platform, sql: str) -> athena.Answer:
    """Run a statement in the platform's Athena workgroup and return its result."""
    names = platform.names
    return athena.query(platform.client("athena"), names["workgroup"], names["database"], sql)
