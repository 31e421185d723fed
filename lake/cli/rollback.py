"""``lake rollback``: let the jobs and functions of a pipeline run the code of an earlier deployment."""

from typing import Annotated

import typer

from lake.cli.options import Environment, Json, Yes
from lake.cli.output import show
from lake.environment import inventory, releases
from lake.environment.deployment import Platform, load

application = typer.Typer(
    help="Back to the code of an earlier deployment: jobs and functions, nothing else.",
    no_args_is_help=True,
    epilog="Example: lake rollback run --pipeline platform --yes",
)

Pipeline = Annotated[str, typer.Option(help="Whose code: a pipeline, or platform.")]


@application.command("list")
def list_releases(pipeline: Pipeline, env: Environment = "dev", as_json: Json = False) -> None:
    """List the deployments that brought other code, newest first, and which of them runs now."""
    platform = load(env)
    now = releases.live(platform, pipeline)
    rows = [
        {"at": release.at, "runs_now": release.same_code(now), "code": ", ".join(_versions(platform, release))}
        for release in releases.listed(platform, pipeline)
    ]
    show(rows, as_json, "Releases")


@application.command()
def run(
    pipeline: Pipeline,
    to: Annotated[str | None, typer.Option(help="The release, as list shows it; else the one before.")] = None,
    yes: Yes = False,
    env: Environment = "dev",
    as_json: Json = False,
) -> None:
    """Go back to the code of the release before what runs now, or of another one. Data is not touched.

    A run that is under way ends with the code that it began with. The next apply brings the code of its tree again.
    """
    platform = load(env)
    release = releases.chosen(platform, pipeline, to)
    changes = releases.live(platform, pipeline).changes_to(release)
    if yes:
        releases.switch(platform, release)
    rows = [{"name": name, "from": old, "to": new, "done": yes} for name, old, new in changes]
    show(rows, as_json, f"Code of {release.at}")


def _versions(platform: Platform, release: releases.Release) -> list[str]:
    versions = {**release.jobs, **release.functions}
    return [f"{inventory.short(platform, name)}={version}" for name, version in sorted(versions.items())]
