import contextlib
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


def only_through_secrets(operation: str, **context: str) -> dict[str, Any]:
    """A statement that allows the operation through Secrets Manager, for some encryption context."""
    via = {"kms:ViaService": "secretsmanager.us-east-1.amazonaws.com"}
    said = {f"kms:EncryptionContext:{name}": value for name, value in context.items()}
    return {"Action": f"kms:{operation}", "Condition": {"StringEquals": {**via, **said}}}


def secrets_as(aws: LocalAws, name: str, *statements: dict[str, Any]) -> Any:
    return aws.client("secretsmanager", aws.as_role(aws.role(name, {"Action": "secretsmanager:*"}, *statements)))


def test_a_secret_is_read_with_decrypt_and_written_with_generate_data_key(aws: LocalAws) -> None:
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    aws.client("secretsmanager").create_secret(Name="private", KmsKeyId=key, SecretString="x")
    reader = secrets_as(aws, "secret-reader", only_through_secrets("Decrypt"))
    assert reader.get_secret_value(SecretId="private")["SecretString"] == "x"
    with pytest.raises(ClientError, match="Access to KMS is not allowed"):
        reader.put_secret_value(SecretId="private", SecretString="y")
    writer = secrets_as(aws, "secret-writer", only_through_secrets("GenerateDataKey"))
    writer.put_secret_value(SecretId="private", SecretString="y")
    with pytest.raises(ClientError, match="Access to KMS is not allowed"):
        writer.get_secret_value(SecretId="private")


def test_who_gives_a_secret_its_key_must_be_able_to_try_it_and_no_more(aws: LocalAws) -> None:
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    trial = only_through_secrets("Decrypt", SecretVersionId="RequestToValidateKeyAccess")
    write = only_through_secrets("GenerateDataKey")
    with pytest.raises(ClientError, match="Access to KMS is not allowed"):
        secrets_as(aws, "no-trial", write).create_secret(Name="tried", KmsKeyId=key)
    maker = secrets_as(aws, "with-trial", write, trial)
    maker.create_secret(Name="tried", KmsKeyId=key)
    maker.put_secret_value(SecretId="tried", SecretString="x")
    with pytest.raises(ClientError, match="Access to KMS is not allowed"):
        maker.get_secret_value(SecretId="tried")


def test_a_policy_of_a_secret_names_roles_by_their_arn(aws: LocalAws) -> None:
    secrets = aws.client("secretsmanager")
    made = secrets.create_secret(Name="named-readers", SecretString="x")
    deny = {
        "Effect": "Deny", "Principal": "*", "Action": "secretsmanager:GetSecretValue", "Resource": "*",
        "Condition": {"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::000000000000:role/a-reader"}},
    }  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    secrets.put_resource_policy(SecretId=made["ARN"], ResourcePolicy=policy)
    assert secrets_as(aws, "a-reader").get_secret_value(SecretId=made["ARN"])["SecretString"] == "x"
    for client in (secrets, secrets_as(aws, "another-reader")):
        with pytest.raises(ClientError, match="AccessDenied"):
            client.get_secret_value(SecretId=made["ARN"])


@pytest.mark.parametrize(
    ("options", "refused"),
    [
        ({}, False),
        ({"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "own"}, False),
        ({"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "other"}, True),
        ({"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "0" * 32}, True),
    ],
    ids=["plain", "own key", "other key", "customer key"],
)
def test_a_bucket_policy_refuses_keys_that_are_not_its_own(
    aws: LocalAws, key: str, options: dict[str, str], refused: bool
) -> None:
    s3, other = aws.client("s3"), aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket="own-keys")
    header = "s3:x-amz-server-side-encryption"
    customers = {"Null": {f"{header}-customer-algorithm": "false"}}
    strangers = {"Null": {f"{header}-aws-kms-key-id": "false"}, "StringNotEquals": {f"{header}-aws-kms-key-id": key}}
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::own-keys/*"}
    policy = {"Version": "2012-10-17", "Statement": [{**deny, "Condition": of} for of in (customers, strangers)]}
    s3.put_bucket_policy(Bucket="own-keys", Policy=json.dumps(policy))
    named = {"SSEKMSKeyId": {"own": key, "other": other}[options["SSEKMSKeyId"]]} if "SSEKMSKeyId" in options else {}
    put = {"Bucket": "own-keys", "Key": "x", "Body": b"1", **options, **named}
    for write in (
        s3.put_object,
        lambda **given: s3.create_multipart_upload(**{k: given[k] for k in given if k != "Body"}),
    ):
        if refused:
            with pytest.raises(ClientError, match="AccessDenied"):
                write(**put)
        else:
            write(**put)
