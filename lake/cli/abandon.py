"""``lake abandon``: give up a run that was prepared and that nobody can finish."""

from typing import Annotated

import typer

from lake.cli import job_requests
from lake.cli.options import Environment, Json, Yes
from lake.cli.output import show
from lake.cli.rows import run_rows
from lake.environment import inventory
from lake.environment.deployment import load


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
