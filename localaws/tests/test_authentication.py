import json

import boto3
import pytest
from botocore.exceptions import ClientError

from localaws.testing import LocalAws


@pytest.mark.parametrize("key", ["test", "000000000000", "AKIAIOSFODNN7EXAMPLE"])
def test_no_known_key_is_root(aws: LocalAws, key: str) -> None:
    session = boto3.session.Session(key, "test", region_name="us-east-1")
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        aws.client("s3", session).list_buckets()


def test_the_administrator_is_a_user(aws: LocalAws) -> None:
    identity = aws.client("sts").get_caller_identity()
    assert identity["Arn"] == "arn:aws:iam::000000000000:user/localaws-administrator"


def test_a_role_may_do_only_what_its_policy_says(aws: LocalAws) -> None:
    role = aws.role("reader", {"Action": "s3:ListAllMyBuckets"})
    client = aws.client("s3", aws.as_role(role))
    client.list_buckets()
    with pytest.raises(ClientError, match="AccessDenied"):
        client.create_bucket(Bucket="not-mine")


def test_loopback_counts_as_tls_unless_the_request_says_otherwise(aws: LocalAws) -> None:
    client = aws.client("s3")
    client.create_bucket(Bucket="tls-only")
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": ["arn:aws:s3:::tls-only", "arn:aws:s3:::tls-only/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    client.put_bucket_policy(Bucket="tls-only", Policy=policy)
    client.put_object(Bucket="tls-only", Key="x", Body=b"1")

    def over_plain_http(request: object, **_named: object) -> None:
        request.headers["X-Forwarded-Proto"] = "http"  # type: ignore[attr-defined]

    client.meta.events.register("before-send.s3", over_plain_http)
    with pytest.raises(ClientError, match="AccessDenied"):
        client.get_object(Bucket="tls-only", Key="x")


def test_clients_sign_with_real_time_after_the_clock_was_advanced(aws: LocalAws) -> None:
    aws.advance(3600)
    assert aws.client("sts").get_caller_identity()["Account"] == "000000000000"


def test_a_function_needs_a_role_that_lambda_may_assume(aws: LocalAws) -> None:
    with pytest.raises(ClientError, match="cannot be assumed by Lambda"):
        aws.function("unassumable", "", aws.role("for-nobody"))


def test_a_session_expires_on_the_clock_and_says_so(aws: LocalAws) -> None:
    role = aws.role("short-lived", {"Action": "*"})
    keys = aws.client("sts").assume_role(RoleArn=role, RoleSessionName="test", DurationSeconds=900)["Credentials"]
    names = (keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
    session = boto3.session.Session(*names, region_name="us-east-1")
    aws.client("s3", session).list_buckets()
    aws.advance(960)
    aws.as_role(role)  # another session must not make this one be forgotten
    for service, call, code in [
        ("s3", "list_buckets", "ExpiredToken"),
        ("sts", "get_caller_identity", "ExpiredToken"),
        ("dynamodb", "list_tables", "ExpiredTokenException"),
    ]:
        with pytest.raises(ClientError) as caught:
            getattr(aws.client(service, session), call)()
        assert caught.value.response["Error"]["Code"] == code


def test_calls_are_counted_with_caller_action_and_resource(aws: LocalAws) -> None:
    client = aws.client("s3", aws.as_role(aws.role("counted", {"Action": "s3:ListBucket"})))
    aws.client("s3").create_bucket(Bucket="counting")
    client.list_objects_v2(Bucket="counting")
    for key in ("raw/day=1/a.json", "raw/day=2/b.json"):
        with pytest.raises(ClientError, match="AccessDenied"):
            client.put_object(Bucket="counting", Key=key, Body=b"")
    bucket = "arn:aws:s3:::counting"
    assert aws.calls_on("assumed-role/counted/") == {
        ("s3:ListBucket", bucket): 1,
        ("s3:PutObject", f"{bucket}/raw/*"): 2,
    }
    assert aws.calls("assumed-role/counted/") == {"s3:ListBucket": 1, "s3:PutObject": 2}
