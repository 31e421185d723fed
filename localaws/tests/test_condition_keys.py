"""What a policy asks of a request."""

import json
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from localaws.testing import LocalAws


@pytest.fixture(scope="module")
def limited(aws: LocalAws) -> LocalAws:
    """The same localaws for a user who may put metrics into one namespace."""
    iam, name = aws.client("iam"), "one-namespace"
    condition = {"StringEquals": {"cloudwatch:namespace": ["Allowed"]}}
    allow = {"Effect": "Allow", "Action": "cloudwatch:PutMetricData", "Resource": "*", "Condition": condition}
    iam.create_user(UserName=name)
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    keys = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    return replace(aws, environment={**aws.environment, **keys})


def test_who_may_put_metrics_into_one_namespace_puts_them_into_no_other(aws: LocalAws, limited: LocalAws) -> None:
    client, data = limited.client("cloudwatch"), [{"MetricName": "Limited", "Value": 1}]
    client.put_metric_data(Namespace="Allowed", MetricData=data)
    assert aws.metric("Allowed", "Limited") == 1
    with pytest.raises(ClientError, match="AccessDenied"):
        client.put_metric_data(Namespace="Other", MetricData=data)
    assert aws.metric("Other", "Limited") is None


def test_the_query_protocol_carries_the_namespace_too(aws: LocalAws, limited: LocalAws) -> None:
    datum = {"MetricData.member.1.MetricName": "Queried", "MetricData.member.1.Value": "1"}
    limited.query("monitoring", "2010-08-01", Action="PutMetricData", Namespace="Allowed", **datum)
    assert aws.metric("Allowed", "Queried") == 1


@pytest.mark.parametrize(
    ("actions", "given", "allowed"),
    [
        (["sts:AssumeRole", "sts:SetSourceIdentity"], {"SourceIdentity": "somebody"}, True),
        (["sts:AssumeRole", "sts:SetSourceIdentity"], {}, False),
        (["sts:AssumeRole"], {"SourceIdentity": "somebody"}, False),
    ],
    ids=["given", "missing", "may not be set"],
)
def test_a_trust_policy_can_demand_a_source_identity(
    aws: LocalAws, actions: list[str], given: dict[str, str], allowed: bool
) -> None:
    name = f"named-{len(actions)}-{len(given)}"
    condition = {"StringLike": {"sts:SourceIdentity": "?*"}}
    root = {"AWS": "arn:aws:iam::000000000000:root"}
    trust = {"Effect": "Allow", "Principal": root, "Action": actions, "Condition": condition}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn = aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    sts = aws.client("sts")
    if allowed:
        assert sts.assume_role(RoleArn=arn, RoleSessionName="test", **given)["Credentials"]["SessionToken"]
    else:
        with pytest.raises(ClientError, match="AccessDenied"):
            sts.assume_role(RoleArn=arn, RoleSessionName="test", **given)
