"""Prepare a Glue job run: script, packages, settings, environment.

AWS: fetches them as the job's role. MiniStack: fetches nothing. Added: fetched as the role; what cannot be had here,
such as packages from an index or jars, is an error before anything runs.
"""

import importlib.metadata
import os
import zipfile
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from packaging.requirements import Requirement

from localaws.core import clock, identity, settings
from localaws.services.glue import spark

SESSION_NAME = "GlueJobRunnerSession"
UNSUPPORTED_ARGUMENTS = ("--extra-jars", "--extra-files", "--datalake-formats")

# Of this process' environment a job gets these names and no other.
KEPT_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH")


class LaunchError(Exception):
    """Why a run cannot start; becomes its ErrorMessage."""


def prepared(folder: Path, job: dict[str, Any], arguments: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    """Fetch what the run needs, as its role; the command and its whole environment."""
    for name in UNSUPPORTED_ARGUMENTS:
        if arguments.get(name):
            raise LaunchError(f"the argument {name} is not supported locally")
    if arguments.get("--user-jars-first", "false") != "false":
        raise LaunchError("--user-jars-first is not supported locally")
    if arguments.get("--job-language", "python") != "python":
        raise LaunchError("only --job-language python is supported locally")
    try:
        job_arn = f"arn:aws:glue:{settings.REGION}:{settings.ACCOUNT}:job/{job['Name']}"
        role = identity.role_environment(role_arn(job), SESSION_NAME, "glue.amazonaws.com", job_arn)
        spark.write_configuration(folder, settings.endpoint(), settings.REGION, arguments.get("--conf", ""))
        of_spark = spark.environment(folder)
        python, spark_packages = str(spark.glue_python()), str(spark.brought_along(folder / "spark-python"))
    except (PermissionError, spark.NoSpark) as error:
        raise LaunchError(str(error)) from error
    s3 = identity.client("s3", role)
    script = _download(s3, arguments.get("--scriptLocation") or job["Command"].get("ScriptLocation", ""), folder)
    packages = _unpacked_packages(s3, arguments, folder / "packages")
    kept = {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ}
    shifted = clock.child_environment()
    environment = {
        **kept,
        **shifted,
        **role,
        **of_spark,
        "PYTHONPATH": os.pathsep.join([*packages, spark_packages, shifted["PYTHONPATH"]]),
        "PYTHONUNBUFFERED": "1",
        "PYSPARK_PYTHON": python,
        "SPARK_LOCAL_IP": settings.LOOPBACK,
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "TZ": "UTC",
    }
    pairs = [text for name, value in arguments.items() for text in (name, str(value))]
    return [python, str(script), *pairs], environment


def role_arn(job: dict[str, Any]) -> str:
    """Return the ARN of the job's role, which may be given by its name."""
    role = str(job.get("Role") or "")
    return role if role.startswith("arn:") else f"arn:aws:iam::{settings.ACCOUNT}:role/{role}"


def _unpacked_packages(s3: Any, arguments: dict[str, str], folder: Path) -> list[str]:
    """Unpack wheels and zips, so that data files in them are files; plain modules lie side by side."""
    named = [arguments.get("--additional-python-modules", ""), arguments.get("--extra-py-files", "")]
    locations = [part.strip() for names in named for part in names.split(",") if part.strip()]
    folders: list[str] = []
    for number, location in enumerate(locations):
        if not location.startswith("s3://"):
            raise LaunchError(f"the Python module {location} is not supported locally, only files on S3")
        target = folder / str(number)
        target.mkdir(parents=True)
        file = _download(s3, location, target)
        if file.suffix == ".whl" and "--no-deps" not in arguments.get("--python-modules-installer-option", ""):
            _check_requirements(file)
        if file.suffix in (".whl", ".zip"):
            zipfile.ZipFile(file).extractall(target)
        elif file.suffix != ".py":
            raise LaunchError(f"{location} is not supported locally, only .whl, .zip and .py")
        folders.append(str(target))
    return folders


def _check_requirements(wheel: Path) -> None:
    """Raise LaunchError when pip would fetch what the wheel needs and Glue lacks: there is no package index here."""
    described = [path for path in zipfile.Path(wheel).iterdir() if path.name.endswith(".dist-info")]
    lines = [line for path in described for line in (path / "METADATA").read_text(encoding="utf-8").splitlines()]
    wanted = [Requirement(line.partition(":")[2]) for line in lines if line.startswith("Requires-Dist:")]
    (site,) = spark.glue_python().parents[1].glob("lib/python3*/site-packages")
    there = {found.name.lower(): found.version for found in importlib.metadata.distributions(path=[str(site)])}
    missing = [str(need) for need in wanted if _applies(need) and not _satisfied(need, there)]
    if missing:
        raise LaunchError(
            f"{wheel.name} needs {', '.join(missing)}, which Glue lacks and pip would fetch from a package index at "
            "the start of every run; there is none here. Give the file on S3, or --no-deps"
        )


def _applies(need: Requirement) -> bool:
    return need.marker is None or need.marker.evaluate({"extra": ""})


def _satisfied(need: Requirement, there: dict[str, str]) -> bool:
    name = need.name.lower()
    return name in there and need.specifier.contains(there[name], prereleases=True)


def _download(s3: Any, location: str, folder: Path) -> Path:
    bucket, _, key = location.removeprefix("s3://").partition("/")
    target = folder / Path(key).name
    try:
        target.write_bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "NoSuchBucket"):
            raise LaunchError(f"File Not Found: {location}, Please refer logs for details") from error
        raise LaunchError(f"{location}: {error}") from error
    return target
