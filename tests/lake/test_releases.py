import io
import itertools
import json
import zipfile
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from lake.cli.application import application
from lake.environment import releases
from lake.environment.deployment import Platform
from lake.environment.releases import NoSuchRelease
from tests.local_aws import LocalAws

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
_numbers = itertools.count()


@pytest.fixture
def platform(aws: LocalAws) -> Platform:
    """An account with a job of version aaa, a function of version 1, and the code of two versions of the job."""
    name = f"release-{next(_numbers)}"
    registered = {"jobs": {"transform": f"{name}-transform"}, "functions": {"ingest": f"{name}-ingest"}}
    names = {"project": "aws-datalake-platform", "code_bucket": name, "watch": f"{name}-ingest"}
    made = Platform("dev", names, aws, {"orders": registered})
    aws.client("s3").create_bucket(Bucket=name)
    for version in ("aaa", "bbb"):
        upload(made, version)
    aws.client("glue").create_job(Name=job_of(made), **job(made, "aaa"))
    make_function(made)
    return made


def job_of(platform: Platform) -> str:
    return str(platform.pipelines["orders"]["jobs"]["transform"])


def function_of(platform: Platform) -> str:
    return str(platform.pipelines["orders"]["functions"]["ingest"])


def folder(platform: Platform, version: str) -> str:
    return f"s3://{platform.names['code_bucket']}/jobs/orders/transform/{version}/"


def upload(platform: Platform, version: str) -> None:
    bucket, _, prefix = folder(platform, version).removeprefix("s3://").partition("/")
    for name in ("transform.py", "lake-1-py3-none-any.whl"):
        platform.client("s3").put_object(Bucket=bucket, Key=f"{prefix}{name}", Body=b"code")


def job(platform: Platform, version: str) -> dict[str, Any]:
    script = f"{folder(platform, version)}transform.py"
    return {
        "Role": "arn:aws:iam::000000000000:role/of-the-job",
        "GlueVersion": "5.1",
        "WorkerType": "G.1X",
        "NumberOfWorkers": 2,
        "Command": {"Name": "glueetl", "ScriptLocation": script},
        "NonOverridableArguments": {
            "--ledger": "acme-ledger",
            "--code_version": version,
            "--scriptLocation": script,
            "--extra-py-files": script,
            "--additional-python-modules": f"{folder(platform, version)}lake-1-py3-none-any.whl",
        },
    }


def make_function(platform: Platform) -> None:
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    name = function_of(platform)
    role = platform.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("handler.py", "")
    settings = {"Runtime": "python3.13", "Role": role, "Handler": "handler.handler", "Publish": True}
    client = platform.client("lambda")
    client.create_function(FunctionName=name, Code={"ZipFile": packed.getvalue()}, **settings)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")


def deploy(platform: Platform, version: str) -> None:
    """What an apply does to the job and the function."""
    platform.client("glue").update_job(JobName=job_of(platform), JobUpdate=job(platform, version))
    client, name = platform.client("lambda"), function_of(platform)
    client.update_function_configuration(FunctionName=name, Environment={"Variables": {"VERSION": version}})
    published = client.publish_version(FunctionName=name)["Version"]
    client.update_alias(FunctionName=name, Name="live", FunctionVersion=published)


def test_a_release_is_what_runs_and_the_same_code_is_none_again(platform: Platform) -> None:
    first = releases.record(platform, "orders", NOON)
    assert first is not None
    assert (first.at, dict(first.jobs), dict(first.functions)) == (
        "20261127T120000Z",
        {job_of(platform): "aaa"},
        {function_of(platform): "1"},
    )
    assert releases.record(platform, "orders", NOON + timedelta(hours=1)) is None
    assert releases.listed(platform, "orders") == [first]
    assert releases.listed(platform, "platform") == []


def test_back_is_the_code_before_and_the_rest_of_the_job_stays(platform: Platform) -> None:
    releases.record(platform, "orders", NOON)
    deploy(platform, "bbb")
    releases.record(platform, "orders", NOON + timedelta(hours=1))
    before = releases.live(platform, "orders")
    release = releases.chosen(platform, "orders", None)
    releases.switch(platform, release)
    assert sorted(before.changes_to(release)) == [(function_of(platform), "2", "1"), (job_of(platform), "bbb", "aaa")]
    assert releases.live(platform, "orders").same_code(release)
    deployed = platform.client("glue").get_job(JobName=job_of(platform))["Job"]
    assert deployed["Command"]["ScriptLocation"] == job(platform, "aaa")["Command"]["ScriptLocation"]
    assert deployed["NonOverridableArguments"] == job(platform, "aaa")["NonOverridableArguments"]
    assert (deployed["WorkerType"], deployed["NumberOfWorkers"], deployed["GlueVersion"]) == ("G.1X", 2, "5.1")


def test_back_twice_goes_on_and_never_forward_again(platform: Platform) -> None:
    for number, version in enumerate(("aaa", "bbb")):
        deploy(platform, version)
        releases.record(platform, "orders", NOON + timedelta(hours=number))
    releases.switch(platform, releases.chosen(platform, "orders", None))
    with pytest.raises(NoSuchRelease, match="there are: 20261127T130000Z, 20261127T120000Z"):
        releases.chosen(platform, "orders", None)
    assert releases.chosen(platform, "orders", "20261127T130000Z").jobs == {job_of(platform): "bbb"}


def test_what_nobody_recorded_goes_back_to_the_newest_release(platform: Platform) -> None:
    releases.record(platform, "orders", NOON)
    deploy(platform, "bbb")
    assert releases.chosen(platform, "orders", None).at == "20261127T120000Z"


def test_code_that_is_gone_is_said_before_anything_is_switched(platform: Platform) -> None:
    second = f"{job_of(platform)}-second"
    platform.client("glue").create_job(Name=second, **job(platform, "aaa"))
    jobs = {job_of(platform): "bbb", second: "ccc"}
    lost = releases.Release("20261127T110000Z", jobs, {function_of(platform): "1"})
    with pytest.raises(NoSuchRelease, match=f"{folder(platform, 'ccc')} does not hold"):
        releases.switch(platform, lost)
    assert releases.live(platform, "orders").jobs == {job_of(platform): "aaa"}


def test_a_pipeline_that_is_not_there_is_said(platform: Platform) -> None:
    with pytest.raises(NoSuchRelease, match="there is no pipeline order; there are: platform, orders"):
        releases.live(platform, "order")


def test_the_command_says_what_it_would_do_and_does_it_with_yes(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lake.cli.rollback.load", lambda _environment: platform)
    releases.record(platform, "orders", NOON)
    deploy(platform, "bbb")
    releases.record(platform, "orders", NOON + timedelta(hours=1))
    asked = ["rollback", "run", "--pipeline", "orders", "--json"]
    said = CliRunner().invoke(application, asked)
    (change,) = (row for row in json.loads(said.output) if row["name"] == job_of(platform))
    assert change == {"name": job_of(platform), "from": "bbb", "to": "aaa", "done": False}
    assert releases.live(platform, "orders").jobs == {job_of(platform): "bbb"}
    assert CliRunner().invoke(application, [*asked, "--yes"]).exit_code == 0
    assert releases.live(platform, "orders").jobs == {job_of(platform): "aaa"}
    listed = CliRunner().invoke(application, ["rollback", "list", "--pipeline", "orders", "--json"])
    assert [row["runs_now"] for row in json.loads(listed.output)] == [False, True]
