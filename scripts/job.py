"""Run a job's script from the working tree against the local lake, with the arguments that the deployed job has.

It takes seconds, needs no deployment of the change, and runs in this process: `breakpoint()` in the script opens the
debugger. The job acts as the administrator, not as its role, so what its role may not do shows on a deployed run only;
of the pseudonym key, which the administrator cannot read, it gets a copy that is gone when it ends.
Further words are arguments of the job and win over the deployed ones:

    make job JOB=transform
    make job JOB=transform ARGUMENTS="--operation replay --operation_arguments '{}'"
    python -m pdb -m scripts.job transform
"""

import argparse
import importlib.util
import os
import shlex
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from lake.core.errors import LakeError
from lake.environment import deployment
from lake.environment.deployment import Platform
from localaws.client import LocalAws
from localaws.services.glue import spark

_KEY = "--pseudonym_key"
JOBS = Path(__file__).parent.parent / "glue_jobs"


class JobError(Exception):
    """Something that the person at the keyboard can mend; the message says what."""


def script(job: str | None, pipeline: str | None) -> Path:
    """Return the file of a job, e.g. ``transform``, of the only one for None; raises JobError with those there are."""
    files = sorted(JOBS.glob("*/*.py"))
    found = [file for file in files if job in (None, file.stem) and pipeline in (None, file.parent.name)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(f"{file.stem} of {file.parent.name}" for file in files)
    what = f"{'no job is' if not found else f'{len(found)} jobs are'} called {job}" if job else "which job"
    raise JobError(f"{what}; there are {known}; say JOB=<job> and, if need be, PIPELINE=<pipeline>")


def deployed_arguments(platform: Platform, pipeline: str, job: str) -> list[str]:
    """Return the arguments of the deployed job, name after name and value; raises JobError."""
    registered = platform.pipelines.get(pipeline, {})
    name = {**registered.get("operations", {}), **registered.get("jobs", {})}.get(job)
    if name is None:
        raise JobError(f"{job} of {pipeline} is not deployed; deploy it once with 'make apply PIPELINE={pipeline}'")
    return [text for pair in platform.job_arguments(name).items() for text in pair]


def loaded(file: Path) -> ModuleType:
    """Return the script as a module, without running its main."""
    specification = importlib.util.spec_from_file_location(file.stem, file)
    if specification is None or specification.loader is None:
        raise JobError(f"{file} cannot be imported")
    module = importlib.util.module_from_spec(specification)
    sys.modules[file.stem] = module
    specification.loader.exec_module(module)
    return module


@contextmanager
def copied_key(environment: str, arguments: list[str]) -> Iterator[list[str]]:
    """Yield the arguments with a copy of the pseudonym key in its place, for as long as the job works."""
    if _KEY not in arguments:
        yield arguments
        return
    keeper, secrets = deployment.load_as(environment, "key_role"), boto3.client("secretsmanager")
    name = keeper.names["pseudonym_key"]
    value = keeper.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"]
    copy = secrets.create_secret(Name=f"{name}-of-a-working-tree-{uuid.uuid4().hex}", SecretString=value)["ARN"]
    try:
        yield [*arguments, _KEY, copy]
    finally:
        secrets.delete_secret(SecretId=copy, ForceDeleteWithoutRecovery=True)


def run(job: str | None, pipeline: str | None, environment: str, extra: list[str]) -> None:
    """Run the job's main with the deployed arguments and then ``extra``."""
    file = script(job, pipeline)
    local = LocalAws.here()
    os.environ.update(local.environment)
    arguments = deployed_arguments(deployment.load(environment), file.parent.name, file.stem)
    with tempfile.TemporaryDirectory() as folder:
        spark.write_configuration(Path(folder), local.endpoint, local.environment["AWS_REGION"], "")
        os.environ.update(spark.environment(Path(folder)), PYSPARK_PYTHON=sys.executable)
        with copied_key(environment, arguments) as whole:
            loaded(file).main([*whole, *extra])


def main() -> int:
    """Command line; 0 when the job succeeded."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "job", nargs="?", help="name of the script without .py, e.g. transform, where there are several"
    )
    parser.add_argument("--pipeline", help="its pipeline, where several have a job of that name")
    parser.add_argument("--env", default="dev", help="environment whose job is run (default: dev)")
    parser.add_argument("--arguments", default="", help="further arguments of the job, as in a shell")
    options = parser.parse_args()
    try:
        run(options.job, options.pipeline, options.env, shlex.split(options.arguments))
    except (JobError, LakeError, spark.NoSpark) as error:
        print(f"job: {error}", file=sys.stderr)
        return 1
    except (BotoCoreError, ClientError, OSError) as error:
        print(
            f"job: {error}\nThe local AWS starts with 'make up', the lake is deployed by 'make apply'.", file=sys.stderr
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
