"""An archive of the classes that Spark loads, which spares every job their parsing: a third of its processor time.

Java's class data sharing. The archive is made once for a Java and a set of jars, by a job on a localaws of its own that
writes down which classes it loaded. Java maps it into memory; without it everything works as well, only later.
"""

import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from localaws.client import LocalAws, running
from localaws.services.glue import spark

PATIENCE_SECONDS = 3600
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
        with running(folder / "home") as aws:
            _run_warm_up(aws, folder)
        _dump(folder, folder / archive.name, archive.with_suffix(".log"))
        (folder / archive.name).replace(archive)
    of_the_same_place = archive.name.rpartition("-")[0]
    for outdated in set(archive.parent.glob(f"{of_the_same_place}-*")) - {archive, archive.with_suffix(".log")}:
        outdated.unlink()
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


def _run_warm_up(aws: LocalAws, folder: Path) -> None:
    """Run the job whose classes are wanted to its end; what it loaded and its class path are in the folder then."""
    aws.client("s3").create_bucket(Bucket=NAME)
    aws.client("s3").put_object(Bucket=NAME, Key=WARM_UP.name, Body=WARM_UP.read_bytes())
    options = f"-Xshare:off -XX:DumpLoadedClassList={_class_list(folder)} -XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
    glue = aws.client("glue")
    glue.create_job(
        Name=NAME,
        Role=_role(aws.client("iam")),
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


def _class_list(folder: Path) -> Path:
    return folder / "classes.list"


def _class_path_file(folder: Path) -> Path:
    return folder / "class-path"
