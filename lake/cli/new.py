"""``lake new``: write the skeleton of a dataset or of a pipeline into this checkout."""

import json
from pathlib import Path
from typing import Annotated

import typer

from lake.cli.options import Json
from lake.maintenance import skeletons
from lake.maintenance.skeletons import Derived, Made, NoSkeleton

group = typer.Typer(
    help="""Write the files of a new dataset or pipeline into this checkout. Everything is found by its folder, so no
    existing file changes. CONTRIBUTING.md goes on from there.""",
    no_args_is_help=True,
    epilog="Example: lake new pipeline orders",
)
_WITHOUT = "Nothing is deployed yet; all of it can be taken back by deleting the files."


@group.command()
def dataset(
    name: Annotated[str, typer.Argument(help="Name without its layer, e.g. city_weather for curated_city_weather.")],
    source: Annotated[str, typer.Option(help="Raw dataset that it is made from, e.g. raw_weather.")] = "",
    inputs: Annotated[
        str,
        typer.Option(help="Curated datasets that it is derived from instead: curated_weather,curated_sensor_readings."),
    ] = "",
    key: Annotated[str, typer.Option(help="Columns that identify a record, the moment included: city,timestamp.")] = "",
    moment: Annotated[
        str, typer.Option(help="Column with the moment of the event; the last of --key if not given.")
    ] = "",
    raw: Annotated[
        bool, typer.Option("--raw", help="A raw dataset instead: JSON lines that somebody puts there.")
    ] = False,
    pipeline: Annotated[str, typer.Option(help="With --raw: the pipeline that gets it.")] = "",
    as_json: Json = False,
) -> None:
    """Write the contract of a dataset, one new file.

    It is a curated one that is made from an existing raw one, or with --raw a raw one. The pipeline's transform job
    makes every dataset whose contract names a source: it has the columns of the source, checked by the contract's
    rules, the latest version of each key. Columns that are confidential in raw are stored as tokens. It has no alarm
    until its contract promises a freshness.

    With --inputs it is derived from all rows of other curated datasets, for sums, joins and windows: days whose inputs
    have changed are made anew. The job needs a function of these inputs, which is printed.

    Example: lake new dataset city_weather --source raw_weather --key city,timestamp
    Example: lake new dataset weather_rows --inputs curated_weather --key city,timestamp
    """
    root = skeletons.checkout(Path.cwd())
    if raw:
        files = skeletons.raw_dataset(root, pipeline, name)
        _say(skeletons.write(root, files), [f"lake new dataset {name} --source raw_{name} --key id,timestamp"], as_json)
        return
    columns = _names(_given(key, "--key, e.g. --key city,timestamp"))
    if inputs:
        derived = Derived(name, _names(inputs), columns, moment or columns[-1])
        files = skeletons.derived_dataset(root, derived)
        (pipeline,) = {path.split("/")[1] for path in files}
        function = skeletons.function_of(derived)
        named = f'"curated_{name}": {name}'
        goes_on = [f"add the function to glue_jobs/{pipeline}/transform.py, and {named} to its run_each"]
        goes_on += _to_see(name, pipeline)
    else:
        function = ""
        made = Made(
            name, _given(source, "--source, e.g. --source raw_weather, or --raw"), columns, moment or columns[-1]
        )
        files = skeletons.curated_dataset(root, made)
        (pipeline,) = {path.split("/")[1] for path in files}
        goes_on = _to_see(name, pipeline)
    _say(skeletons.write(root, files), goes_on, as_json, function)


@group.command()
def pipeline(
    name: Annotated[str, typer.Argument(help="Name, at most 18 characters: it is part of its names on AWS.")],
    as_json: Json = False,
) -> None:
    """Write a pipeline that works.

    Two contracts, a Glue job, an hourly schedule, two alarms with runbook and drills, Terraform, tests, a demo.

    Objects of JSON lines that somebody puts under raw/<name>/date=YYYY-MM-DD/ become rows of curated_<name>. Terraform
    has a root and a state of its own for it. Change the contracts and the job to what you need; run its tests after
    each change.

    Example: lake new pipeline orders
    """
    root = skeletons.checkout(Path.cwd())
    written = skeletons.write(root, skeletons.pipeline(root, name))
    goes_on = ["make docs", "make apply", f"make demo PIPELINE={name}", f"make test-all PIPELINE={name}"]
    _say(written, goes_on, as_json)


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _to_see(name: str, pipeline: str) -> list[str]:
    """The commands that bring the rows of a new dataset."""
    query = f"SELECT count(*) FROM curated_{name}"  # noqa: S608 - shown, not run
    return ["make docs", "make apply", f"make job JOB=transform PIPELINE={pipeline}", f'lake query "{query}"']


def _given(value: str, option: str) -> str:
    if not value:
        raise NoSkeleton(f"this needs {option}")
    return value


def _say(written: list[str], goes_on: list[str], as_json: bool, function: str = "") -> None:
    """Print what was written and how to go on; ``function`` stands last, at the margin, to be copied as it is."""
    if as_json:
        said = {"files": written, "next": goes_on, **({"function": function} if function else {})}
        print(json.dumps(said, indent=2))
        return
    print(
        "\n".join([*written, "", f"{len(written)} files written. {_WITHOUT} Next:", *(f"  {line}" for line in goes_on)])
    )
    if function:
        print(f"\n{function}")
