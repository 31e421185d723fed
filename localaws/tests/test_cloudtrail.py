"""Who called what: in the history of events, and as events that rules get."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.testing import LocalAws

SECRET, TRAIL = "an-audited-secret", "a-trail"
WITH_READS = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"


@pytest.fixture(scope="module")
def secret(aws: LocalAws) -> str:
    return str(aws.client("secretsmanager").create_secret(Name=SECRET, SecretString="never in a log")["ARN"])


@pytest.fixture
def trail(aws: LocalAws) -> Any:
    """A trail that logs; its client."""
    client = aws.client("cloudtrail")
    client.create_trail(Name=TRAIL, S3BucketName="its-bucket", TagsList=[{"Key": "a", "Value": "b"}])
    client.start_logging(Name=TRAIL)
    yield client
    client.delete_trail(Name=TRAIL)


@pytest.fixture
def heard(aws: LocalAws) -> Any:
    """A function that gives what rules of the two kinds have heard, one queue for each, since the last time."""
    queues = {state: queue(aws, f"heard-{state.lower()[:12]}", state) for state in ("ENABLED", WITH_READS)}
    sqs = aws.client("sqs")

    def news(state: str) -> list[dict[str, Any]]:
        found = sqs.receive_message(QueueUrl=queues[state], MaxNumberOfMessages=10).get("Messages", [])
        for message in found:
            sqs.delete_message(QueueUrl=queues[state], ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"])["detail"] for message in found]

    return news


def queue(aws: LocalAws, name: str, state: str) -> str:
    """A queue that a rule in that state fills with calls of Secrets Manager."""
    sqs, events = aws.client("sqs"), aws.client("events")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    principal = {"Service": "events.amazonaws.com"}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sqs:SendMessage", "Resource": arn}
    sqs.set_queue_attributes(
        QueueUrl=url, Attributes={"Policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]})}
    )
    pattern = {"source": ["aws.secretsmanager"], "detail-type": ["AWS API Call via CloudTrail"]}
    events.put_rule(Name=name, State=state, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    return str(url)


def history(aws: LocalAws, name: str) -> list[dict[str, Any]]:
    attribute = {"AttributeKey": "EventName", "AttributeValue": name}
    found = aws.client("cloudtrail").lookup_events(LookupAttributes=[attribute])["Events"]
    return [json.loads(event["CloudTrailEvent"]) for event in found]


def test_the_history_says_who_asked_also_when_it_was_denied_and_never_what_is_secret(
    aws: LocalAws, secret: str
) -> None:
    session = aws.as_role(aws.role("curious"))
    with pytest.raises(ClientError, match="AccessDenied"):
        aws.client("secretsmanager", session).get_secret_value(SecretId=secret)
    event = history(aws, "GetSecretValue")[0]
    assert event["userIdentity"]["sessionContext"]["sessionIssuer"]["userName"] == "curious"
    assert (event["requestParameters"], event["errorCode"]) == (None, "AccessDenied")
    assert event["errorMessage"].endswith(f"GetSecretValue on resource: {secret}")
    asked = [(event["requestParameters"], event) for event in history(aws, "CreateSecret")]
    (made,) = [event for parameters, event in asked if parameters and parameters["name"] == SECRET]
    assert "errorCode" not in made
    assert "never in a log" not in json.dumps(made)


def test_an_error_has_its_name_also_when_a_key_is_what_denies(aws: LocalAws) -> None:
    client, key = aws.client("secretsmanager"), aws.client("kms").create_key()["KeyMetadata"]["KeyId"]
    client.create_secret(Name="a-locked-secret", SecretString="a", KmsKeyId=key)
    session = aws.as_role(aws.role("without-the-key", {"Action": "secretsmanager:GetSecretValue"}))
    with pytest.raises(ClientError, match="AccessDenied"):
        aws.client("secretsmanager", session).get_secret_value(SecretId="a-locked-secret")
    with pytest.raises(ClientError, match="ResourceNotFound"):
        client.get_secret_value(SecretId="no-secret")
    newest, before = history(aws, "GetSecretValue")[:2]
    assert (newest["errorCode"], before["errorCode"]) == ("ResourceNotFoundException", "AccessDenied")


def test_calls_about_data_are_no_management_events(aws: LocalAws) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="audited-bucket")
    s3.put_object(Bucket="audited-bucket", Key="a", Body=b"")
    s3.list_objects_v2(Bucket="audited-bucket")
    assert {"bucketName": "audited-bucket"} in [event["requestParameters"] for event in history(aws, "CreateBucket")]
    assert history(aws, "PutObject") == history(aws, "ListObjectsV2") == []


def test_without_a_trail_no_rule_hears_of_a_call(aws: LocalAws, secret: str, heard: Any) -> None:
    aws.client("secretsmanager").describe_secret(SecretId=secret)
    aws.client("secretsmanager").tag_resource(SecretId=secret, Tags=[{"Key": "a", "Value": "b"}])
    assert heard(WITH_READS) == heard("ENABLED") == []


def test_with_a_trail_rules_hear_what_changes_and_only_some_what_reads(
    aws: LocalAws, secret: str, trail: Any, heard: Any
) -> None:
    aws.client("secretsmanager").get_secret_value(SecretId=secret)
    aws.client("secretsmanager").tag_resource(SecretId=secret, Tags=[{"Key": "a", "Value": "c"}])
    assert {event["eventName"] for event in heard(WITH_READS)} == {"GetSecretValue", "TagResource"}
    assert [event["eventName"] for event in heard("ENABLED")] == ["TagResource"]


def test_a_trail_keeps_its_tags(trail: Any) -> None:
    (arn,) = [each["TrailARN"] for each in trail.describe_trails(trailNameList=[TRAIL])["trailList"]]
    (tags,) = trail.list_tags(ResourceIdList=[arn])["ResourceTagList"]
    assert tags["TagsList"] == [{"Key": "a", "Value": "b"}]
