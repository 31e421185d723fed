"""Who may make which roles, and hand them to which services."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.testing import LocalAws

IAM = "arn:aws:iam::000000000000"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "scheduler.amazonaws.com"}}
        ],
    }
)
POLICY = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}]}
)


@pytest.fixture(scope="module")
def boundary(aws: LocalAws) -> str:
    iam = aws.client("iam")
    return str(iam.create_policy(PolicyName="fence", Path="/fences/", PolicyDocument=POLICY)["Policy"]["Arn"])


@pytest.fixture(scope="module")
def maker(aws: LocalAws, boundary: str) -> Any:
    """The client maker of who may make roles below one path with one boundary, and hand them to the scheduler."""
    bounded = {"StringEquals": {"iam:PermissionsBoundary": boundary}}
    to_scheduler = {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}}
    role = aws.role(
        "maker",
        {"Action": ["iam:CreateRole", "iam:PutRolePolicy"], "Resource": f"{IAM}:role/of/us/*", "Condition": bounded},
        {"Action": "iam:PassRole", "Resource": f"{IAM}:role/of/us/*", "Condition": to_scheduler},
        {"Action": ["scheduler:CreateSchedule", "glue:CreateJob"]},
    )
    session = aws.as_role(role)
    return lambda service: aws.client(service, session)


def made(client: Any, name: str, path: str, **more: str) -> str:
    return str(client.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=TRUST, **more)["Role"]["Arn"])


def test_path_and_boundary_of_a_new_role_count(maker: Callable[[str], Any], boundary: str) -> None:
    iam = maker("iam")
    assert made(iam, "ours", "/of/us/", PermissionsBoundary=boundary) == f"{IAM}:role/of/us/ours"
    for path, more in (("/", {"PermissionsBoundary": boundary}), ("/of/us/", {})):
        with pytest.raises(ClientError, match="AccessDenied"):
            made(iam, "theirs", path, **more)


def test_the_boundary_that_a_role_has_counts_for_its_policies(
    aws: LocalAws, maker: Callable[[str], Any], boundary: str
) -> None:
    made(aws.client("iam"), "fenced", "/of/us/", PermissionsBoundary=boundary)
    made(aws.client("iam"), "unfenced", "/of/us/")
    maker("iam").put_role_policy(RoleName="fenced", PolicyName="own", PolicyDocument=POLICY)
    with pytest.raises(ClientError, match="AccessDenied"):
        maker("iam").put_role_policy(RoleName="unfenced", PolicyName="own", PolicyDocument=POLICY)


def test_a_role_is_handed_to_the_allowed_service_only(aws: LocalAws, maker: Callable[[str], Any]) -> None:
    role, other = made(aws.client("iam"), "handed", "/of/us/"), made(aws.client("iam"), "not-ours", "/")
    window = {"Mode": "OFF"}
    target = {"Arn": "arn:aws:sqs:us-east-1:000000000000:nowhere", "RoleArn": role, "Input": "{}"}
    schedule = {"ScheduleExpression": "rate(1 day)", "FlexibleTimeWindow": window}
    maker("scheduler").create_schedule(Name="handed", Target=target, **schedule)
    with pytest.raises(ClientError, match="AccessDenied"):
        maker("scheduler").create_schedule(Name="not-handed", Target={**target, "RoleArn": other}, **schedule)
    with pytest.raises(ClientError, match="AccessDenied"):
        maker("glue").create_job(Name="not-handed", Role=role, Command={"Name": "glueetl", "ScriptLocation": "s3://x"})
