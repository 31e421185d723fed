"""Run a deployed job as Glue would, in an environment that has Glue's packages, and look at what it left.

Script, wheel and arguments are those of the job that the local AWS has, not those of the working tree. The wheel is
installed without a package index. The results are checked by questions to Athena, and written as JUnit:

    python3 -m scripts.glue_run transform --results build/glue/results
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lake.core.errors import LakeError
from lake.environment import deployment
from lake.environment.deployment import Platform
from scripts import job as working_tree
from scripts.job import JobError

SETTINGS = Path(__file__).parents[1] / "docker/glue/spark-defaults.conf"
KEYS = "credentials.json"


@dataclass(frozen=True)
class Means:
    """Differences between AWS's image and this machine: the commands of pip and of Spark."""

    pip: list[str] = field(default_factory=lambda: [sys.executable, "-m", "pip"])
    submit: list[str] = field(default_factory=lambda: ["spark-submit"])


@dataclass(frozen=True)
class Deployed:
    """A job as Glue has it."""

    name: str
    script: str
    arguments: dict[str, str]

    @property
    def wheels(self) -> list[str]:
        """The places of the packages that a run installs."""
        return [part for part in self.arguments.get("--additional-python-modules", "").split(",") if part]

    @property
    def tables(self) -> list[str]:
        """The tables that it writes."""
        return sorted(json.loads(self.arguments.get("--writes", "{}")))


def deployed(platform: Platform, pipeline: str, job: str) -> Deployed:
    """Return the job of a pipeline; raises JobError when it is not deployed or would ask a package index."""
    registered = platform.pipelines.get(pipeline, {})
    name = {**registered.get("operations", {}), **registered.get("jobs", {})}.get(job)
    if name is None:
        raise JobError(f"{job} of {pipeline} is not deployed; deploy it once with 'make apply PIPELINE={pipeline}'")
    found = platform.client("glue").get_job(JobName=name)["Job"]
    arguments = {**found.get("DefaultArguments", {}), **found.get("NonOverridableArguments", {})}
    options = shlex.split(arguments.get("--python-modules-installer-option", ""))
    if not {"--no-index", "--no-deps"} <= set(options):
        raise JobError(f"{name} would ask a package index: its installer has the options {options}")
    return Deployed(name, found["Command"]["ScriptLocation"], arguments)


def fetched(platform: Platform, location: str, folder: Path) -> Path:
    """Return the copy in ``folder`` of an object, given as ``s3://bucket/key``."""
    bucket, _, key = location.removeprefix("s3://").partition("/")
    target = folder / Path(key).name
    target.write_bytes(platform.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
    return target


def submitted(
    platform: Platform, job: Deployed, run: str, means: Means, folder: Path
) -> subprocess.CompletedProcess[bytes]:
    """Install the wheel, run the script; what it prints goes to this process' output."""
    packages, script = folder / "packages", fetched(platform, job.script, folder)
    wheels = [str(fetched(platform, wheel, folder)) for wheel in job.wheels]
    options = ["--quiet", "--no-index", "--no-deps", "--target", str(packages)]
    subprocess.run([*means.pip, "install", *options, *wheels], check=True)
    settings = [text for line in spark_settings() for text in ("--conf", line)]
    environment = os.environ.get("AWS_ENDPOINT_URL", "")
    with working_tree.copied_key(platform.environment, _words(job)) as words:
        own = ["--JOB_NAME", job.name, "--JOB_RUN_ID", run]
        print(f"{job.name}: {script.name} with {len(wheels)} wheel(s) against {environment}", flush=True)
        return subprocess.run(
            [*means.submit, *settings, str(script), *own, *words],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(packages), *_paths_of_spark()])},
            check=False,
        )


def _words(job: Deployed) -> list[str]:
    # Glue takes --conf for Spark and gives it to the script too.
    return [text for pair in job.arguments.items() for text in pair]


def _paths_of_spark() -> list[str]:
    """The entries of PYTHONPATH that are not this checkout's: the job has its wheel, and no working tree."""
    checkout = str(Path(__file__).parents[1])
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return [path for path in given if path and not path.startswith(checkout)]


def spark_settings() -> list[str]:
    """The lines ``name=value`` that make s3:// the local AWS, the endpoint of this process' environment included."""
    lines = [line for line in SETTINGS.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    place = [
        f"spark.hadoop.fs.s3a.endpoint {os.environ['AWS_ENDPOINT_URL']}",
        f"spark.hadoop.fs.s3a.endpoint.region {os.environ['AWS_REGION']}",
    ]
    return ["=".join(line.split(maxsplit=1)) for line in [*lines, *place]]


def runs(platform: Platform) -> dict[tuple[str, str], tuple[str, ...]]:
    """Run and dataset => status, how many records were received, and how many are accounted for."""
    columns = "run_id, dataset, status, received, new + replaced + duplicate + quarantined"
    statement = f"SELECT {columns} FROM {platform.names['runs']['name']}"  # noqa: S608 - names of the deployment
    return {(row[0], row[1]): row[2:] for row in rows(platform, statement)}


def checks(
    platform: Platform, job: Deployed, before: Collection[tuple[str, str]], code: int
) -> dict[str, Callable[[], str]]:
    """Return by name what is asked after a run; each answers why it is not so, or nothing."""
    curated = [table for table in job.tables if table.startswith("curated_")]

    def ended() -> str:
        return "" if code == 0 else f"the script ended with {code}"

    def recorded() -> str:
        found = {dataset: row[0] for (run, dataset), row in runs(platform).items() if (run, dataset) not in before}
        bad = {table: found.get(table, "no row") for table in curated if found.get(table) != "COMMITTED"}
        return f"of this run's datasets are not committed: {bad}" if bad or not curated else ""

    def accounted() -> str:
        mine = {key: row for key, row in runs(platform).items() if key not in before}
        wrong = {key: row for key, row in mine.items() if row[1] != row[2]}
        return f"received and counted differ: {wrong}" if wrong or not mine else ""

    def filled(table: str) -> str:
        return "" if rows(platform, f"SELECT count(*) FROM {table}") != [("0",)] else f"{table} is empty"  # noqa: S608 - a table of this lake

    tables = {f"{table} has rows": lambda table=table: filled(table) for table in curated}
    return {
        "the script ends well": ended,
        "every dataset has a run": recorded,
        "no record is lost": accounted,
        **tables,
    }


def rows(platform: Platform, statement: str) -> list[tuple[str, ...]]:
    """Return what Athena answers to a query, without the names of the columns; raises JobError when it fails."""
    athena = platform.client("athena")
    query = athena.start_query_execution(
        QueryString=statement,
        QueryExecutionContext={"Database": platform.names["database"]},
        WorkGroup=platform.names["workgroup"],
    )["QueryExecutionId"]
    while (status := athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"])["State"] in (
        "QUEUED",
        "RUNNING",
    ):
        time.sleep(0.2)
    if status["State"] != "SUCCEEDED":
        raise JobError(f"{statement}: {status.get('StateChangeReason')}")
    answer = athena.get_query_results(QueryExecutionId=query)["ResultSet"]["Rows"][1:]
    return [tuple(cell.get("VarCharValue", "") for cell in row["Data"]) for row in answer]


def junit(name: str, outcomes: Mapping[str, str]) -> ET.ElementTree:
    """Return the outcomes as JUnit: a test for each name, a failure where a reason stands."""
    failed = sum(bool(reason) for reason in outcomes.values())
    suite = ET.Element("testsuite", name=name, tests=str(len(outcomes)), failures=str(failed), errors="0")
    for check, reason in outcomes.items():
        case = ET.SubElement(suite, "testcase", classname=name, name=check)
        if reason:
            ET.SubElement(case, "failure", message=reason)
    return ET.ElementTree(suite)


def outcome(check: Callable[[], str]) -> str:
    """Return why a check does not hold, also when it could not be asked."""
    try:
        return check()
    except JobError as error:
        return str(error)


def run(job_name: str, pipeline: str | None, environment: str, results: Path, means: Means) -> bool:
    """Run the job and check; True when everything holds. The results are in ``results``, as JUnit."""
    file = working_tree.script(job_name, pipeline)
    platform = deployment.load(environment)
    job, identifier = deployed(platform, file.parent.name, file.stem), f"jr_{uuid.uuid4().hex}"
    before = set(runs(platform))
    with tempfile.TemporaryDirectory(prefix="glue-") as folder:
        done = submitted(platform, job, identifier, means, Path(folder))
    asked = checks(platform, job, before, done.returncode)
    outcomes = {name: outcome(check) for name, check in asked.items()}
    results.mkdir(parents=True, exist_ok=True)
    junit(f"glue.{file.stem}", outcomes).write(results / f"{file.stem}.xml", encoding="utf-8", xml_declaration=True)
    for name, reason in outcomes.items():
        print(f"{'FAILED' if reason else 'ok':6} {name}{f': {reason}' if reason else ''}")
    return not any(outcomes.values())


def main() -> int:
    """Command line; 0 when the job ran and everything that is asked of its tables holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", help="name of the script without .py, e.g. transform")
    parser.add_argument("--pipeline", help="its pipeline, where several have a job of that name")
    parser.add_argument("--env", default="dev", help="environment whose job is run (default: dev)")
    parser.add_argument("--results", type=Path, default=Path("build/glue/results"), help="folder of the JUnit files")
    parser.add_argument("--pip", help="the command of pip, where this Python has none")
    parser.add_argument("--submit", help="the command of spark-submit, where it is not on the PATH")
    given = parser.parse_args()
    chosen = {name: shlex.split(text) for name in ("pip", "submit") if (text := getattr(given, name))}
    home = os.environ.get("LOCALAWS_HOME")
    if home:
        os.environ.update(json.loads((Path(home) / KEYS).read_text(encoding="utf-8")))
    try:
        return 0 if run(given.job, given.pipeline, given.env, given.results, Means(**chosen)) else 1
    except (JobError, LakeError) as error:
        print(f"glue-run: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
