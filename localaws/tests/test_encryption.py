import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.testing import LocalAws


@pytest.fixture(scope="module")
def key(aws: LocalAws) -> str:
    """A key whose policy leaves everything to the policies of this account's users and roles."""
    return str(aws.client("kms").create_key()["KeyMetadata"]["Arn"])


@pytest.fixture(scope="module")
def bucket(aws: LocalAws, key: str) -> str:
    client = aws.client("s3")
    client.create_bucket(Bucket="encrypted")
    default = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    rules = {"Rules": [{**default, "BucketKeyEnabled": True}]}
    client.put_bucket_encryption(Bucket="encrypted", ServerSideEncryptionConfiguration=rules)
    client.put_object(Bucket="encrypted", Key="x", Body=b"secret")
    return "encrypted"


def s3_as(aws: LocalAws, name: str, *statements: dict[str, Any]) -> Any:
    return aws.client("s3", aws.as_role(aws.role(name, {"Action": "s3:*"}, *statements)))


def test_without_the_key_an_object_is_neither_read_nor_written(aws: LocalAws, bucket: str) -> None:
    client = s3_as(aws, "keyless")
    calls: tuple[Callable[[], Any], ...] = (
        lambda: client.get_object(Bucket=bucket, Key="x"),
        lambda: client.put_object(Bucket=bucket, Key="y", Body=b"1"),
        lambda: client.copy_object(Bucket=bucket, Key="y", CopySource=f"{bucket}/x"),
        lambda: client.create_multipart_upload(Bucket=bucket, Key="y"),
    )
    for call in calls:
        with pytest.raises(ClientError, match="not authorized to perform: kms:"):
            call()
    assert client.head_object(Bucket=bucket, Key="x")["ContentLength"] == 6


def test_decrypt_is_enough_to_read_and_not_to_write(aws: LocalAws, bucket: str) -> None:
    client = s3_as(aws, "decrypter", {"Action": "kms:Decrypt"})
    assert client.get_object(Bucket=bucket, Key="x")["Body"].read() == b"secret"
    with pytest.raises(ClientError, match="kms:GenerateDataKey"):
        client.put_object(Bucket=bucket, Key="y", Body=b"1")


def test_a_bucket_key_uses_the_bucket_as_encryption_context(aws: LocalAws, bucket: str) -> None:
    def only_for(arn: str) -> dict[str, Any]:
        return {"Action": "kms:Decrypt", "Condition": {"StringEquals": {"kms:EncryptionContext:aws:s3:arn": arn}}}

    right = s3_as(aws, "context-right", only_for("arn:aws:s3:::encrypted"))
    assert right.get_object(Bucket=bucket, Key="x")["Body"].read() == b"secret"
    with pytest.raises(ClientError, match="kms:Decrypt"):
        s3_as(aws, "context-wrong", only_for("arn:aws:s3:::other")).get_object(Bucket=bucket, Key="x")


def test_a_grant_lets_in(aws: LocalAws, bucket: str, key: str) -> None:
    client = s3_as(aws, "granted")
    aws.client("kms").create_grant(
        KeyId=key, GranteePrincipal="arn:aws:iam::000000000000:role/granted", Operations=["Decrypt"]
    )
    assert client.get_object(Bucket=bucket, Key="x")["Body"].read() == b"secret"


def test_a_deny_in_the_key_policy_wins(aws: LocalAws, bucket: str, key: str) -> None:
    client = s3_as(aws, "denied", {"Action": "kms:*"})
    kms = aws.client("kms")
    before = kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]
    policy = json.loads(before)
    role = {"AWS": "arn:aws:iam::000000000000:role/denied"}
    policy["Statement"].append({"Effect": "Deny", "Principal": role, "Action": "kms:*", "Resource": "*"})
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(policy))
    with pytest.raises(ClientError, match="kms:Decrypt"):
        client.get_object(Bucket=bucket, Key="x")
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=before)


def test_a_disabled_key_stops_even_the_administrator(aws: LocalAws, bucket: str, key: str) -> None:
    kms, s3 = aws.client("kms"), aws.client("s3")
    kms.disable_key(KeyId=key)
    with pytest.raises(ClientError, match="DisabledException"):
        s3.get_object(Bucket=bucket, Key="x")
    with pytest.raises(ClientError, match="DisabledException"):
        s3.put_object(Bucket=bucket, Key="y", Body=b"1")
    kms.enable_key(KeyId=key)
    assert s3.get_object(Bucket=bucket, Key="x")["Body"].read() == b"secret"


def test_a_secret_cannot_be_read_or_written_while_its_key_is_disabled(aws: LocalAws) -> None:
    kms, client = aws.client("kms"), aws.client("secretsmanager")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    client.create_secret(Name="locked", KmsKeyId=key, SecretString="x")
    kms.disable_key(KeyId=key)
    with pytest.raises(ClientError, match="DecryptionFailure"):
        client.get_secret_value(SecretId="locked")
    with pytest.raises(ClientError, match="EncryptionFailure"):
        client.put_secret_value(SecretId="locked", SecretString="y")
    kms.enable_key(KeyId=key)
    assert client.get_secret_value(SecretId="locked")["SecretString"] == "x"
