"""Run the jobs' tests, or a deployed job, in AWS's image of Glue, in containers without a way to the internet.

`run` needs the local lake ('make up bootstrap apply'): what it holds is kept in build/glue, and a localaws in a
container starts from there. Docker with the plugin compose is needed; the image has 7 GB. GLUE_IMAGE names another
image, or this one by digest. Results are JUnit files in build/glue/results:

    python -m scripts.glue_docker test
    python -m scripts.glue_docker run transform --invoke batch_ingest --invoke stream_generate
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from lake.core.errors import LakeError
from lake.environment import deployment
from localaws.client import LocalAws

REPOSITORY = Path(__file__).parents[1]
PLACE = REPOSITORY / "build/glue"
COMPOSE = ["docker", "compose", "--file", str(REPOSITORY / "docker/glue/compose.yaml")]
EVERY_SERVICE = ["--profile", "packages", "--profile", "tests"]


class GlueDockerError(Exception):
    """Something that the person at the keyboard can mend; the message says what."""


def words(action: str, job: str, arguments: Sequence[str] = ()) -> list[str]:
    """Return the words after ``docker compose`` that test, or run a job in the image."""
    if action == "test":
        inside = ["python3", "-m", "scripts.glue_test", *arguments, "--junitxml=/results/tests.xml"]
        return ["run", "--rm", "--entrypoint", inside[0], "tests", *inside[1:]]
    inside = ["python3", "-m", "scripts.glue_run", job, "--results", "/results", *arguments]
    return ["run", "--rm", "--entrypoint", inside[0], "glue", *inside[1:]]


def kept_lake(environment: str, functions: Sequence[str]) -> None:
    """Let functions of the local lake land data, and keep the lake where the container of localaws finds it."""
    local = LocalAws.here()
    os.environ.update(local.environment)
    platform = deployment.load(environment)
    for function in (platform.part("functions", name) for name in functions):
        answer = local.client("lambda").invoke(FunctionName=function, Payload=b"{}")
        if "FunctionError" in answer:
            raise GlueDockerError(f"{function}: {answer['Payload'].read().decode()}")
    local.flush()
    shutil.rmtree(PLACE / "snapshot", ignore_errors=True)
    local.save(PLACE / "snapshot")


def in_docker(given: argparse.Namespace) -> int:
    """Fill the volume of packages, do what was asked for, take the containers away; the exit code of the action."""
    of_run = ["--env", given.env] if given.action == "run" else []
    asked = words(given.action, given.job or "", [*of_run, *given.arguments])
    for folder in ("results", "snapshot"):
        (PLACE / folder).mkdir(parents=True, exist_ok=True)
    if subprocess.run([*COMPOSE, "version"], capture_output=True, check=False).returncode:
        raise GlueDockerError("Docker has no plugin compose: https://docs.docker.com/compose/install/linux/")
    try:
        subprocess.run([*COMPOSE, "run", "--rm", "packages"], check=True)
        return subprocess.run([*COMPOSE, *asked], check=False).returncode
    finally:
        # The packages stay in their volume for the next time; the keys of localaws go.
        subprocess.run([*COMPOSE, *EVERY_SERVICE, "down"], check=False)
        subprocess.run(["docker", "volume", "rm", "--force", "lake-glue_home"], check=False, stdout=subprocess.DEVNULL)
        shutil.rmtree(PLACE / "snapshot", ignore_errors=True)


def main() -> int:
    """Command line; 0 when everything held."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("test", "run"), help="the tests of the jobs, or one deployed job")
    parser.add_argument("job", nargs="?", help="for run: name of the script without .py, e.g. transform")
    parser.add_argument("--env", default="dev", help="environment of the job (default: dev)")
    parser.add_argument(
        "--invoke", action="append", default=[], metavar="FUNCTION", help="a deployed function that lands data first"
    )
    parser.add_argument("--argument", dest="arguments", action="append", default=[], help="for pytest, or glue_run")
    given = parser.parse_args()
    if given.action == "run" and not given.job:
        parser.error("which job: JOB=transform")
    try:
        if given.action == "run":
            kept_lake(given.env, given.invoke)
        return in_docker(given)
    except (GlueDockerError, LakeError, subprocess.CalledProcessError) as error:
        print(f"glue-docker: {error}", file=sys.stderr)
    except (BotoCoreError, ClientError, OSError) as error:
        print(f"glue-docker: {error}\nThe local lake starts with 'make up bootstrap apply'.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
