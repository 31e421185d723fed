"""A session for who has a token of an OpenID Connect provider."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from localaws.testing import Issuer, LocalAws

HOST = "token.actions.githubusercontent.com"
SUBJECT = "repo:somebody/lake:ref:refs/heads/main"


@pytest.fixture(scope="module")
def issuer(aws: LocalAws) -> Iterator[Issuer]:
    """GitHub, as this account knows it."""
    made, iam = Issuer(), aws.client("iam")
    aws.trust_issuer(made.url, made.keys)
    arn = iam.create_open_id_connect_provider(Url=made.url, ClientIDList=["sts.amazonaws.com"])
    yield made
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn["OpenIDConnectProviderArn"])


@pytest.fixture(scope="module")
def role(aws: LocalAws, issuer: Issuer) -> str:
    """A role for main of one repository, that may list buckets."""
    iam = aws.client("iam")
    trust = {
        "Effect": "Allow",
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Principal": {"Federated": f"arn:aws:iam::000000000000:oidc-provider/{HOST}"},
        "Condition": {
            "StringEquals": {f"{HOST}:aud": "sts.amazonaws.com", f"{HOST}:sub": SUBJECT, f"{HOST}:repository_id": "7"}
        },
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    made = iam.create_role(RoleName="of-main", Path="/delivery/", AssumeRolePolicyDocument=document)["Role"]
    allow = {"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_role_policy(RoleName="of-main", PolicyName="own", PolicyDocument=policy)
    return str(made["Arn"])


def assumed(aws: LocalAws, role: str, token: str) -> Any:
    """What STS answers to a request that nobody has signed."""
    sts = boto3.client(
        "sts", endpoint_url=aws.endpoint, region_name="us-east-1", config=Config(signature_version=UNSIGNED)
    )
    return sts.assume_role_with_web_identity(RoleArn=role, RoleSessionName="run-1", WebIdentityToken=token)


def refusal(aws: LocalAws, role: str, token: str) -> str:
    with pytest.raises(ClientError) as caught:
        assumed(aws, role, token)
    return str(caught.value.response["Error"]["Code"])


def test_the_session_has_the_rights_of_the_role_and_says_whose_it_is(aws: LocalAws, issuer: Issuer, role: str) -> None:
    answer = assumed(aws, role, issuer.token(aws.now, sub=SUBJECT, repository_id="7"))
    assert answer["SubjectFromWebIdentityToken"] == SUBJECT
    assert answer["Provider"].endswith(f":oidc-provider/{HOST}")
    keys = answer["Credentials"]
    names = (keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
    session = boto3.session.Session(*names, region_name="us-east-1")
    aws.client("s3", session).list_buckets()
    with pytest.raises(ClientError, match="AccessDenied"):
        aws.client("s3", session).create_bucket(Bucket="not-of-main")


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"repository_id": "8"}, "AccessDenied"),
        ({"sub": f"{SUBJECT}ly"}, "AccessDenied"),
        ({"repository_id": None}, "AccessDenied"),
        ({"aud": "https://github.com/somebody"}, "InvalidIdentityToken"),
        ({"iss": "https://elsewhere.test"}, "InvalidIdentityToken"),
        ({"exp": 1}, "ExpiredTokenException"),
    ],
)
def test_every_claim_counts(aws: LocalAws, issuer: Issuer, role: str, claims: dict[str, Any], code: str) -> None:
    said = {"sub": SUBJECT, "repository_id": "7", **claims}
    token = issuer.token(aws.now, **{name: value for name, value in said.items() if value is not None})
    assert refusal(aws, role, token) == code


def test_the_key_counts(aws: LocalAws, issuer: Issuer, role: str) -> None:
    forged = Issuer().token(aws.now, sub=SUBJECT, repository_id="7")
    assert refusal(aws, role, forged) == "InvalidIdentityToken"
    assert refusal(aws, role, "no token") == "InvalidIdentityToken"
    unsigned = ".".join([*issuer.token(aws.now, sub=SUBJECT, repository_id="7").split(".")[:2], ""])
    assert refusal(aws, role, unsigned) == "InvalidIdentityToken"


def test_a_token_ends_on_the_clock(aws: LocalAws, issuer: Issuer, role: str) -> None:
    token = issuer.token(datetime.now(aws.now.tzinfo) - timedelta(seconds=601), sub=SUBJECT, repository_id="7")
    assert refusal(aws, role, token) == "ExpiredTokenException"


def test_an_account_without_the_provider_believes_nobody(aws: LocalAws, role: str) -> None:
    other = Issuer("https://issuer.test")
    aws.trust_issuer(other.url, other.keys)
    assert refusal(aws, role, other.token(aws.now, sub=SUBJECT)) == "InvalidIdentityToken"
