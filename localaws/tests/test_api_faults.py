"""Errors that the AWS API is made to answer: for which requests, how often, and in which words."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from localaws.testing import LocalAws, command


@pytest.fixture(autouse=True)
def no_faults(aws: LocalAws) -> Iterator[None]:
    yield
    aws.break_aws()


def once(aws: LocalAws, service: str) -> Any:
    config = Config(retries={"total_max_attempts": 1})
    return aws.session.client(service, endpoint_url=aws.endpoint, config=config)


def fault(service: str, action: str, **more: Any) -> dict[str, Any]:
    answer = {"status": 400, "code": "Ordered", "message": 'on "request" & <so>'}
    return {"service": service, "action": action, **answer, **more}


REQUESTS: dict[tuple[str, str], Callable[[Any], Any]] = {
    ("s3", "CreateBucket"): lambda client: client.create_bucket(Bucket="faulty"),
    ("s3", "ListObjectsV2"): lambda client: client.list_objects_v2(Bucket="faulty"),
    ("s3", "GetObject"): lambda client: client.get_object(Bucket="faulty", Key="a/b c"),
    ("s3", "PutObject"): lambda client: client.put_object(Bucket="faulty", Key="a", Body=b"x"),
    ("s3", "CopyObject"): lambda client: client.copy_object(Bucket="faulty", Key="a", CopySource="faulty/b"),
    ("s3", "PutBucketPolicy"): lambda client: client.put_bucket_policy(Bucket="faulty", Policy="{}"),
    ("sts", "GetCallerIdentity"): lambda client: client.get_caller_identity(),
    ("iam", "CreateRole"): lambda client: client.create_role(RoleName="r", AssumeRolePolicyDocument="{}"),
    ("kms", "Decrypt"): lambda client: client.decrypt(CiphertextBlob=b"x"),
    ("dynamodb", "PutItem"): lambda client: client.put_item(TableName="table", Item={"a": {"S": "b"}}),
    ("lambda", "Invoke"): lambda client: client.invoke(FunctionName="f"),
    ("lambda", "GetFunction"): lambda client: client.get_function(FunctionName="f"),
    ("monitoring", "DescribeAlarms"): lambda client: client.describe_alarms(),
    ("scheduler", "GetSchedule"): lambda client: client.get_schedule(Name="s"),
    ("sns", "Publish"): lambda client: client.publish(TopicArn="t", Message="m"),
    ("sqs", "SendMessage"): lambda client: client.send_message(QueueUrl="http://127.0.0.1/1/q", MessageBody="m"),
    ("glue", "StartJobRun"): lambda client: client.start_job_run(JobName="j"),
}


@pytest.mark.parametrize(("service", "action"), REQUESTS)
def test_the_error_comes_in_the_format_of_its_service(aws: LocalAws, service: str, action: str) -> None:
    aws.break_aws(fault(service, action))
    name = {"monitoring": "cloudwatch"}.get(service, service)
    with pytest.raises(ClientError) as caught:
        REQUESTS[service, action](once(aws, name))
    error, metadata = caught.value.response["Error"], caught.value.response["ResponseMetadata"]
    assert (error["Code"], error["Message"]) == ("Ordered", 'on "request" & <so>')
    assert metadata["HTTPStatusCode"] == 400


def test_a_request_without_an_answer_to_read_has_the_status(aws: LocalAws) -> None:
    aws.break_aws(fault("s3", "HeadObject", status=503, code="SlowDown"))
    with pytest.raises(ClientError, match="503"):
        once(aws, "s3").head_object(Bucket="faulty", Key="a")


def test_a_fault_hits_what_it_matches_as_often_as_it_says(aws: LocalAws) -> None:
    aws.break_aws(fault("dynamodb", "ListTables", match='"Limit": 7', times=2), fault("s3", "*", times=0, match="mine"))
    dynamodb, s3 = once(aws, "dynamodb"), once(aws, "s3")
    assert "TableNames" in dynamodb.list_tables(Limit=8)
    for _ in range(2):
        with pytest.raises(ClientError, match="Ordered"):
            dynamodb.list_tables(Limit=7)
        with pytest.raises(ClientError, match="Ordered"):
            s3.list_objects_v2(Bucket="any", Prefix="mine")
    assert "TableNames" in dynamodb.list_tables(Limit=7)
    s3.list_buckets()
    assert [(left["action"], left["hits"]) for left in aws.faults()] == [("*", 2)]


def test_what_hangs_is_let_go_when_the_faults_are_replaced_and_was_not_done(aws: LocalAws) -> None:
    aws.break_aws({"service": "s3", "action": "CreateBucket", "hang": True})
    failures: list[ClientError] = []

    def create() -> None:
        with pytest.raises(ClientError) as caught:
            once(aws, "s3").create_bucket(Bucket="never-made")
        failures.append(caught.value)

    thread = threading.Thread(target=create)
    thread.start()
    while aws.faults():
        thread.join(0.05)
        assert thread.is_alive()
    aws.break_aws()
    thread.join(10)
    assert [failure.response["Error"]["Code"] for failure in failures] == ["ServiceUnavailable"]
    names = [bucket["Name"] for bucket in aws.client("s3").list_buckets()["Buckets"]]
    assert "never-made" not in names


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (fault("s4", "PutObject"), "no service 's4'"),
        (fault("s3", "PutObjects"), "no action 'PutObjects'"),
        (fault("s3", "PutObject", status=200), "status from 400 to 599"),
        (fault("s3", "PutObject", hits=1), "hits"),
        ({"service": "s3", "action": "PutObject"}, "or hang"),
    ],
)
def test_what_is_no_fault_is_refused_and_changes_nothing(aws: LocalAws, wrong: dict[str, Any], reason: str) -> None:
    aws.break_aws(fault("s3", "PutObject"))
    with pytest.raises(urllib.error.HTTPError) as caught:
        aws.break_aws(wrong)
    assert reason in json.load(caught.value)["reason"]
    assert len(aws.faults()) == 1


def test_faults_are_set_shown_and_taken_back_by_command(aws: LocalAws) -> None:
    environment = aws.process_environment()
    assert command("api-faults", environment).stdout == "[]\n"
    compact = json.dumps([fault("cloudwatch", "PutMetricData", message="")], separators=(",", ":"))
    assert '"service": "monitoring"' in command(f"api-faults {compact}", environment).stdout
    assert '"code": "Ordered"' in command("api-faults", environment).stdout
    wrong = command('api-faults [{"service":"s3","action":"Nothing"}]', environment)
    assert (wrong.returncode, wrong.stderr) == (
        1,
        "localaws: these faults are not understood: s3 has no action 'Nothing'\n",
    )
    assert command("api-faults []", environment).stdout == "[]\n"
