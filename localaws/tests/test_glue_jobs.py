"""Glue job runs are real processes: traps 1 and 2 of MiniStack, and what AWS's clients read from a run."""

import contextlib
import io
import json
import os
import time
import uuid
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError

from localaws.testing import LocalAws

DEADLINE_SECONDS = 3600
SLEEPS = """
import os, subprocess, time
child = subprocess.Popen(["sleep", "600"])
print("PIDS", os.getpid(), child.pid)
time.sleep(600)
"""
SPARK = """
import sys
from pyspark.sql import SparkSession, functions as F
from lake_of_test import SUFFIX
arguments = dict(zip(sys.argv[1::2], sys.argv[2::2]))
spark = SparkSession.builder.getOrCreate()
rows = spark.read.json(arguments["--reads"]).withColumn("zone", F.lit(spark.conf.get("spark.sql.session.timeZone")))
rows.write.parquet(arguments["--writes"] + SUFFIX)
print("ROWS", spark.read.parquet(arguments["--writes"] + SUFFIX).count())
spark.stop()
"""


class Jobs:
    """Jobs with their scripts in one bucket and one role that may read scripts and input and write output."""

    def __init__(self, aws: LocalAws) -> None:
        self.aws, self.bucket = aws, f"jobs-{uuid.uuid4().hex[:8]}"
        self.s3, self.glue, self.logs = (aws.client(service) for service in ("s3", "glue", "logs"))
        self.s3.create_bucket(Bucket=self.bucket)
        arn = f"arn:aws:s3:::{self.bucket}"
        self.role = aws.role(
            self.bucket,
            {"Action": "s3:ListBucket", "Resource": arn},
            {"Action": ["s3:GetObject"], "Resource": [f"{arn}/scripts/*", f"{arn}/in/*", f"{arn}/out*"]},
            {"Action": ["s3:PutObject", "s3:DeleteObject"], "Resource": f"{arn}/out*"},
            {"Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]},
            services=("glue.amazonaws.com",),
        )

    def put(self, key: str, body: bytes | str) -> str:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)
        return f"s3://{self.bucket}/{key}"

    def make(self, script: str, **more: Any) -> str:
        """A job with this text as its script."""
        name = f"job-{uuid.uuid4().hex[:8]}"
        location = self.put(f"scripts/{name}.py", script)
        self.make_with({"Name": "glueetl", "ScriptLocation": location, "PythonVersion": "3"}, name, **more)
        return name

    def make_with(self, command: dict[str, str], name: str, **more: Any) -> str:
        given = {"GlueVersion": "5.1", "WorkerType": "G.1X", "NumberOfWorkers": 2, "Timeout": 10, "Role": self.role}
        self.glue.create_job(Name=name, Command=command, **{**given, **more})
        return name

    def start(self, name: str, **more: Any) -> str:
        return str(self.glue.start_job_run(JobName=name, **more)["JobRunId"])

    def get(self, name: str, run_id: str) -> dict[str, Any]:
        return dict(self.glue.get_job_run(JobName=name, RunId=run_id)["JobRun"])

    def run(self, name: str, **more: Any) -> dict[str, Any]:
        run_id = self.start(name, **more)
        return self.finished(name, run_id)

    def finished(self, name: str, run_id: str) -> dict[str, Any]:
        until(lambda: self.get(name, run_id)["JobRunState"] not in ("STARTING", "RUNNING", "STOPPING"))
        return self.get(name, run_id)

    def log(self, run_id: str, kind: str, prefix: str = "/aws-glue/jobs") -> list[str]:
        place = {"logGroupName": f"{prefix}/{kind}", "logStreamName": run_id}
        with contextlib.suppress(self.logs.exceptions.ResourceNotFoundException):
            return [event["message"] for event in self.logs.get_log_events(**place, startFromHead=True)["events"]]
        return []

    def pids(self, run_id: str) -> list[int]:
        """Process ids that the sleeping script has printed."""
        until(lambda: bool(self.log(run_id, "output")))
        return [int(word) for word in self.log(run_id, "output")[0].split()[1:]]


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(is_so)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").split()[2] != "Z"


@pytest.fixture(scope="module")
def jobs(aws: LocalAws) -> Jobs:
    return Jobs(aws)


def wheel(*needs: str) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        metadata = ["Metadata-Version: 2.1", "Name: lake-of-test", "Version: 0.1.0"]
        text = "\n".join([*metadata, *(f"Requires-Dist: {need}" for need in needs)])
        archive.writestr("lake_of_test-0.1.0.dist-info/METADATA", f"{text}\n")
        code = "import pathlib\nSUFFIX = (pathlib.Path(__file__).parent / 'suffix.txt').read_text()\n"
        archive.writestr("lake_of_test/__init__.py", code)
        archive.writestr("lake_of_test/suffix.txt", "rows/")
    return body.getvalue()


def test_a_spark_script_reads_and_writes_s3_as_its_role(jobs: Jobs) -> None:
    modules = jobs.put("scripts/lake_of_test-0.1.0-py3-none-any.whl", wheel())
    reads = jobs.put("in/a.json", '{"a": 1}\n{"a": 2}\n')
    writes = f"s3://{jobs.bucket}/out/"
    name = jobs.make(
        SPARK, DefaultArguments={"--additional-python-modules": modules, "--reads": "x", "--writes": writes}
    )
    run = jobs.run(name, Arguments={"--reads": reads})
    assert run["JobRunState"] == "SUCCEEDED", jobs.log(run["Id"], "error")
    assert "ROWS 2" in jobs.log(run["Id"], "output")
    keys = [entry["Key"] for entry in jobs.s3.list_objects_v2(Bucket=jobs.bucket, Prefix="out/rows/")["Contents"]]
    bodies = [
        jobs.s3.get_object(Bucket=jobs.bucket, Key=key)["Body"].read() for key in keys if key.endswith(".parquet")
    ]
    rows = [row for body in bodies for row in pq.read_table(io.BytesIO(body)).to_pylist()]
    assert sorted(row["a"] for row in rows) == [1, 2]
    assert {row["zone"] for row in rows} == {"UTC"}


def test_a_script_has_what_glue_has_and_nothing_else(jobs: Jobs) -> None:
    name = jobs.make(
        "import importlib.util, json, sys\nimport boto3, pandas, pyarrow\n"
        "from awsglue.utils import getResolvedOptions\n"
        "given = getResolvedOptions(sys.argv, ['JOB_NAME', 'mine'])\n"
        "there = [name for name in ('yaml', 'duckdb', 'cryptography') if importlib.util.find_spec(name)]\n"
        "print(json.dumps([boto3.__version__, pyarrow.__version__, pandas.__version__, there, given['mine']]))"
    )
    run = jobs.run(name, Arguments={"--mine": "a b"})
    assert run["JobRunState"] == "SUCCEEDED", jobs.log(run["Id"], "error")
    assert json.loads(jobs.log(run["Id"], "output")[0]) == ["1.40.61", "22.0.0", "2.3.3", [], "a b"]


@pytest.mark.parametrize(
    ("needs", "options", "message"),
    [
        ("PyYAML>=6", "", "needs PyYAML>=6, which Glue lacks"),
        ("boto3>=1.43", "", "needs boto3>=1.43, which Glue lacks"),
        ("boto3>=1.40.61", "", ""),
        ("PyYAML>=6; extra == 'command'", "", ""),
        ("PyYAML>=6", "--no-index --no-deps", ""),
    ],
)
def test_there_is_no_package_index(jobs: Jobs, needs: str, options: str, message: str) -> None:
    modules = jobs.put("scripts/lake_of_test-0.1.0-py3-none-any.whl", wheel(needs))
    given = {"--additional-python-modules": modules, "--python-modules-installer-option": options}
    run = jobs.run(jobs.make("import lake_of_test\n", DefaultArguments=given))
    assert run["JobRunState"] == ("FAILED" if message else "SUCCEEDED"), jobs.log(run["Id"], "error")
    assert message in run.get("ErrorMessage", "")


def test_a_spark_script_is_denied_what_its_role_may_not_read(jobs: Jobs) -> None:
    secret = jobs.put("secret/a.json", '{"a": 1}')
    name = jobs.make(
        f"from pyspark.sql import SparkSession\nSparkSession.builder.getOrCreate().read.json({secret!r}).show()\n"
    )
    run = jobs.run(name)
    assert run["JobRunState"] == "FAILED"
    assert "AccessDenied" in run["ErrorMessage"]


def test_a_script_gets_its_arguments_as_glue_gives_them(jobs: Jobs) -> None:
    name = jobs.make(
        "import json, sys\nprint(json.dumps(sys.argv[1:]))",
        DefaultArguments={"--kept": "1", "--replaced": "2"},
        NonOverridableArguments={"--fixed": "3"},
    )
    run = jobs.run(name, Arguments={"--replaced": '{"a": "b c"}', "--fixed": "4"})
    words = json.loads(jobs.log(run["Id"], "output")[0])
    arguments = dict(zip(words[::2], words[1::2], strict=True))
    assert arguments == {
        "--kept": "1",
        "--replaced": '{"a": "b c"}',
        "--fixed": "3",
        "--JOB_NAME": name,
        "--JOB_RUN_ID": run["Id"],
    }


def test_a_script_sees_its_own_environment_and_no_other(jobs: Jobs) -> None:
    name = jobs.make("import json, os\nprint(json.dumps(dict(os.environ)))")
    run = jobs.run(name)
    environment = json.loads(jobs.log(run["Id"], "output")[0])
    assert environment["AWS_ENDPOINT_URL"] == jobs.aws.endpoint
    assert environment["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert not [n for n in environment if n.startswith(("MINISTACK", "LOCALAWS_HOME", "S3_DATA"))]
    assert not Path(environment["HOME"]).exists()


def test_a_failing_script_fails_the_run_with_its_exception(jobs: Jobs) -> None:
    run = jobs.run(jobs.make("print('before')\nraise ValueError('no good')"))
    assert (run["JobRunState"], run["ErrorMessage"]) == ("FAILED", "ValueError: no good")
    assert jobs.log(run["Id"], "output") == ["before"]
    assert jobs.log(run["Id"], "error")[0] == "Traceback (most recent call last):"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("import sys\nsys.exit('three datasets are empty')", "three datasets are empty"),
        ("class NothingToRead(Exception): ...\nraise NothingToRead('no objects')", "NothingToRead: no objects"),
        ("try:\n  1 / 0\nexcept ArithmeticError as e:\n  raise OSError('then') from e", "OSError: then"),
        ("import sys\nprint('a warning', file=sys.stderr)\nsys.exit(3)", "Command failed with exit code 3"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "Command was killed by signal 9"),
    ],
)
def test_a_script_that_ends_badly_fails_the_run(jobs: Jobs, script: str, message: str) -> None:
    run = jobs.run(jobs.make(script))
    assert (run["JobRunState"], run["ErrorMessage"]) == ("FAILED", message)


def test_a_missing_script_fails_the_run(jobs: Jobs) -> None:
    name = jobs.make("")
    jobs.s3.delete_object(Bucket=jobs.bucket, Key=f"scripts/{name}.py")
    run = jobs.run(name)
    assert run["JobRunState"] == "FAILED"
    assert run["ErrorMessage"].startswith(f"LAUNCH ERROR | File Not Found: s3://{jobs.bucket}/scripts/{name}.py")


def test_a_script_that_the_role_may_not_read_fails_the_run(jobs: Jobs) -> None:
    location = jobs.put("secret/job.py", "print('read')")
    name = jobs.make_with({"Name": "glueetl", "ScriptLocation": location}, f"job-{uuid.uuid4().hex[:8]}")
    run = jobs.run(name)
    assert (run["JobRunState"], "AccessDenied" in run["ErrorMessage"]) == ("FAILED", True)


def test_a_role_that_does_not_trust_glue_fails_the_run(jobs: Jobs, aws: LocalAws) -> None:
    role = aws.role(f"other-{uuid.uuid4().hex[:8]}", services=("lambda.amazonaws.com",))
    run = jobs.run(jobs.make("print('ran')", Role=role))
    assert (run["JobRunState"], "unable to assume the role" in run["ErrorMessage"]) == ("FAILED", True)


@pytest.mark.parametrize(
    "arguments",
    [{"--additional-python-modules": "requests==2.0"}, {"--extra-jars": "s3://x/y.jar"}, {"--job-language": "scala"}],
)
def test_what_is_not_supported_fails_the_run(jobs: Jobs, arguments: dict[str, str]) -> None:
    run = jobs.run(jobs.make("print('ran')", DefaultArguments=arguments))
    assert (run["JobRunState"], "supported locally" in run["ErrorMessage"]) == ("FAILED", True)
    assert jobs.log(run["Id"], "output") == []


def test_other_kinds_of_jobs_do_not_start(jobs: Jobs) -> None:
    location = jobs.put("scripts/shell.py", "print('ran')")
    name = jobs.make_with({"Name": "pythonshell", "ScriptLocation": location}, f"job-{uuid.uuid4().hex[:8]}")
    with pytest.raises(jobs.glue.exceptions.InvalidInputException, match="not supported locally"):
        jobs.start(name)


def test_a_stopped_run_is_dead_with_all_its_processes(jobs: Jobs) -> None:
    name = jobs.make(SLEEPS)
    run_id = jobs.start(name)
    pids = jobs.pids(run_id)
    answer = jobs.glue.batch_stop_job_run(JobName=name, JobRunIds=[run_id, "jr_unknown"])
    run = jobs.finished(name, run_id)
    assert [entry["JobRunId"] for entry in answer["SuccessfulSubmissions"]] == [run_id]
    assert answer["Errors"][0]["ErrorDetail"]["ErrorCode"] == "EntityNotFoundException"
    assert run["JobRunState"] == "STOPPED"
    until(lambda: not any(map(is_alive, pids)))
    again = jobs.glue.batch_stop_job_run(JobName=name, JobRunIds=[run_id])
    assert again["Errors"][0]["ErrorDetail"]["ErrorCode"] == "IllegalJobRunStateException"


def test_the_timeout_is_in_minutes_on_the_clock_and_kills(jobs: Jobs) -> None:
    name = jobs.make(SLEEPS, Timeout=2)
    run_id = jobs.start(name, Timeout=1)
    pids = jobs.pids(run_id)
    assert jobs.get(name, run_id)["JobRunState"] == "RUNNING"
    jobs.aws.advance(60)
    run = jobs.finished(name, run_id)
    assert (run["JobRunState"], run["Timeout"]) == ("TIMEOUT", 1)
    assert run["ExecutionTime"] >= 60
    until(lambda: not any(map(is_alive, pids)))


def test_no_more_runs_at_once_than_the_job_allows(jobs: Jobs) -> None:
    name = jobs.make(SLEEPS)
    first = jobs.start(name)
    with pytest.raises(jobs.glue.exceptions.ConcurrentRunsExceededException):
        jobs.start(name)
    jobs.glue.batch_stop_job_run(JobName=name, JobRunIds=[first])
    jobs.finished(name, first)
    second = jobs.start(name)
    jobs.glue.batch_stop_job_run(JobName=name, JobRunIds=[second])
    assert jobs.finished(name, second)["JobRunState"] == "STOPPED"


def test_a_failed_run_is_tried_again_as_often_as_the_job_says(jobs: Jobs) -> None:
    name = jobs.make("raise ValueError('always')", MaxRetries=1)
    first = jobs.run(name)["Id"]
    second = jobs.finished(name, f"{first}_attempt_1")
    assert (second["Attempt"], second["PreviousRunId"], second["JobRunState"]) == (1, first, "FAILED")


def test_runs_are_listed_newest_first_in_pages(jobs: Jobs) -> None:
    name = jobs.make("print('done')")
    ids = [jobs.run(name)["Id"] for _ in range(3)]
    first = jobs.glue.get_job_runs(JobName=name, MaxResults=2)
    rest = jobs.glue.get_job_runs(JobName=name, NextToken=first["NextToken"])
    assert [run["Id"] for run in (*first["JobRuns"], *rest["JobRuns"])] == ids[::-1]
    assert "ErrorMessage" not in rest["JobRuns"][0]


def test_unknown_jobs_and_runs_are_errors(jobs: Jobs) -> None:
    name = jobs.make("")
    for call in (
        lambda: jobs.start("no-such-job"),
        lambda: jobs.glue.get_job_runs(JobName="no-such-job"),
        lambda: jobs.get(name, "jr_unknown"),
    ):
        with pytest.raises(ClientError, match="EntityNotFoundException"):
            call()


@pytest.mark.parametrize(
    ("script", "state", "severity", "message"),
    [
        ("print('done')", "SUCCEEDED", "INFO", "Job run succeeded"),
        ("raise ValueError('no good')", "FAILED", "ERROR", "ValueError: no good"),
    ],
)
def test_the_end_of_a_run_is_an_event(jobs: Jobs, script: str, state: str, severity: str, message: str) -> None:
    sqs, events, name = jobs.aws.client("sqs"), jobs.aws.client("events"), jobs.make(script)
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    pattern = {"source": ["aws.glue"], "detail-type": ["Glue Job State Change"], "detail": {"jobName": [name]}}
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    run = jobs.run(name)
    (received,) = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"]
    detail = json.loads(received["Body"])["detail"]
    assert detail == {"jobName": name, "severity": severity, "state": state, "jobRunId": run["Id"], "message": message}


def test_logs_go_below_the_prefix_that_the_job_names_and_nowhere_else(jobs: Jobs) -> None:
    prefix = f"/aws-glue/{jobs.bucket}"
    name = jobs.make("print('said')", NonOverridableArguments={"--custom-logGroup-prefix": prefix})
    run = jobs.run(name, Arguments={"--custom-logGroup-prefix": "/aws-glue/another"})
    assert (run["JobRunState"], run["LogGroupName"]) == ("SUCCEEDED", prefix)
    assert jobs.log(run["Id"], "output", prefix) == ["said"]
    assert jobs.log(run["Id"], "output") == jobs.log(run["Id"], "output", "/aws-glue/another") == []


def test_a_role_that_may_not_make_log_groups_fills_those_that_are_there(jobs: Jobs) -> None:
    prefix = f"/aws-glue/{jobs.bucket}-own"
    arn = f"arn:aws:logs:us-east-1:000000000000:log-group:{prefix}/output:*"
    of_logs = {"Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": arn}
    scripts = {"Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{jobs.bucket}/scripts/*"}
    role = jobs.aws.role(f"{jobs.bucket}-own", scripts, of_logs, services=("glue.amazonaws.com",))
    jobs.logs.create_log_group(logGroupName=f"{prefix}/output")
    script = "import sys\nprint('said')\nprint('warned', file=sys.stderr)"
    run = jobs.run(jobs.make(script, Role=role, DefaultArguments={"--custom-logGroup-prefix": prefix}))
    assert run["JobRunState"] == "SUCCEEDED", "what cannot be written down stops no run"
    assert (jobs.log(run["Id"], "output", prefix), jobs.log(run["Id"], "error", prefix)) == (["said"], [])
