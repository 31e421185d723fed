"""An archive of the classes that Spark loads, which spares every job their parsing: a third of its processor time.

Java's class data sharing. The archive is made once for a Java and a set of jars, by a job on a localaws of its own that
writes down which classes it loaded. Java maps it into memory; without it everything works as well, only later.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3

from localaws import settings, spark

PATIENCE_SECONDS = 120
NAME = "spark-warm-up"
WARM_UP = Path(__file__).with_name("spark_warm_up.py")


class NotBuilt(RuntimeError):
    """Why there is no archive."""


def build() -> Path:
    """The archive for this machine's Java and jars, made unless it is there. Raises NotBuilt."""
    archive = spark.class_archive()
    if archive.exists():
        return archive
    with tempfile.TemporaryDirectory(dir=archive.parent) as scratch:
        folder = Path(scratch)
        with _localaws(folder / "home") as environment:
            _run_warm_up(environment, folder)
        _dump(folder, folder / archive.name, archive.with_suffix(".log"))
        (folder / archive.name).replace(archive)
    return archive


def _dump(folder: Path, archive: Path, log: Path) -> None:
    java = str(spark.java_home() / "bin" / "java")
    sharing = [f"-XX:SharedArchiveFile={archive}", "-XX:+UseSerialGC", "-cp", _class_path_file(folder).read_text()]
    dump = [java, "-Xshare:dump", f"-XX:SharedClassListFile={_class_list(folder)}", *sharing]
    with log.open("wb") as output:
        for command in (dump, [java, "-Xshare:on", *sharing, "-version"]):
            done = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False)
            if done.returncode != 0:
                raise NotBuilt(f"Java made no archive of classes; see {log}")


def _run_warm_up(environment: dict[str, str], folder: Path) -> None:
    """Run the job whose classes are wanted to its end; what it loaded and its class path are in the folder then."""
    client = _clients(environment)
    client("s3").create_bucket(Bucket=NAME)
    client("s3").put_object(Bucket=NAME, Key=WARM_UP.name, Body=WARM_UP.read_bytes())
    options = f"-Xshare:off -XX:DumpLoadedClassList={_class_list(folder)} -XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
    glue = client("glue")
    glue.create_job(
        Name=NAME,
        Role=_role(client("iam")),
        Command={"Name": "glueetl", "ScriptLocation": f"s3://{NAME}/{WARM_UP.name}"},
        DefaultArguments={
            "--conf": f"spark.driver.extraJavaOptions={options} -Duser.timezone=UTC -Djava.io.tmpdir={folder}",
            "--folder": f"s3://{NAME}/work",
            "--class_path": str(_class_path_file(folder)),
        },
    )
    run_id, deadline = glue.start_job_run(JobName=NAME)["JobRunId"], time.monotonic() + PATIENCE_SECONDS
    while (run := glue.get_job_run(JobName=NAME, RunId=run_id)["JobRun"])["JobRunState"] in ("STARTING", "RUNNING"):
        if time.monotonic() > deadline:
            raise NotBuilt(f"the job that shows which classes are needed did not end within {PATIENCE_SECONDS} s")
        time.sleep(0.2)
    if run["JobRunState"] != "SUCCEEDED":
        raise NotBuilt(f"the job that shows which classes are needed failed: {run.get('ErrorMessage')}")


def _role(iam: Any) -> str:
    trust = {"Effect": "Allow", "Principal": {"Service": "glue.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=document)["Role"]
    everything = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
    iam.put_role_policy(RoleName=NAME, PolicyName="s3", PolicyDocument=policy)
    return str(role["Arn"])


def _clients(environment: dict[str, str]) -> Any:
    session = boto3.session.Session(
        environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"], region_name=settings.REGION
    )
    return lambda service: session.client(service, endpoint_url=environment["AWS_ENDPOINT_URL"])


@contextmanager
def _localaws(home: Path) -> Iterator[dict[str, str]]:
    """A localaws for the job alone; the environment of its administrator."""
    with socket.socket() as probe:
        probe.bind((settings.HOST, 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "LOCALAWS_HOME": str(home), "LOCALAWS_PORT": str(port)}
    command = [sys.executable, "-m", "localaws"]
    subprocess.run([*command, "up"], env=environment, stdout=subprocess.DEVNULL, check=True)
    try:
        yield json.loads((home / "credentials.json").read_text(encoding="utf-8"))
    finally:
        subprocess.run([*command, "down"], env=environment, stdout=subprocess.DEVNULL, check=True)


def _class_list(folder: Path) -> Path:
    return folder / "classes.list"


def _class_path_file(folder: Path) -> Path:
    return folder / "class-path"
