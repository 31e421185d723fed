import urllib.parse
import xml.etree.ElementTree as ET

import botocore.auth
import botocore.awsrequest
import botocore.httpsession
import pytest

from localaws.ministack_fixes.cloudwatch import unflatten
from localaws.testing import LocalAws


def test_query_parameters_become_a_structure() -> None:
    flat = {"Action": ["X"], "A.member.2": ["b"], "A.member.1": ["a"], "D.member.1.Name": ["n"], "P": ["60"]}
    assert unflatten(flat) == {"A": ["a", "b"], "D": [{"Name": "n"}], "P": "60"}


def test_an_alarm_is_read_back_in_full_by_the_query_protocol(aws: LocalAws) -> None:
    aws.client("cloudwatch").put_metric_alarm(
        AlarmName="read-back",
        AlarmDescription="says <why>",
        Namespace="Test",
        MetricName="M",
        Dimensions=[{"Name": "of", "Value": "me"}],
        Statistic="Sum",
        Period=300,
        EvaluationPeriods=2,
        DatapointsToAlarm=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
        AlarmActions=["arn:aws:sns:us-east-1:000000000000:nowhere"],
    )
    answer = ET.fromstring(  # noqa: S314 - our own server wrote it
        query(aws, "monitoring", "DescribeAlarms", **{"AlarmNames.member.1": "read-back"})
    )
    found = {element.tag.rsplit("}")[-1]: element.text for element in answer.iter()}
    assert found["Period"] == "300"
    assert found["DatapointsToAlarm"] == "1"
    assert found["TreatMissingData"] == "notBreaching"
    assert found["AlarmDescription"] == "says <why>"
    assert (found["Name"], found["Value"]) == ("of", "me")


def query(aws: LocalAws, service: str, action: str, **parameters: str) -> str:
    """What Terraform's provider sends: the service's old protocol, signed."""
    body = urllib.parse.urlencode({"Action": action, "Version": "2010-08-01", **parameters})
    request = botocore.awsrequest.AWSRequest("POST", aws.endpoint + "/", data=body)
    request.headers["Content-Type"] = "application/x-www-form-urlencoded"
    botocore.auth.SigV4Auth(aws.session.get_credentials(), service, "us-east-1").add_auth(request)
    response = botocore.httpsession.URLLib3Session().send(request.prepare())
    assert response.status_code == 200, response.text
    return str(response.text)


def test_a_request_token_names_one_value_for_ever(aws: LocalAws) -> None:
    client, token = aws.client("secretsmanager"), "00000000-0000-0000-0000-000000000001"
    client.create_secret(Name="tokens")
    for _ in range(2):
        client.put_secret_value(SecretId="tokens", SecretString="a", ClientRequestToken=token)
    with pytest.raises(client.exceptions.ResourceExistsException):
        client.put_secret_value(SecretId="tokens", SecretString="b", ClientRequestToken=token)
    assert client.get_secret_value(SecretId="tokens")["SecretString"] == "a"


def test_a_secret_made_without_a_value_has_no_version(aws: LocalAws) -> None:
    client = aws.client("secretsmanager")
    client.create_secret(Name="labelled")
    assert client.list_secret_version_ids(SecretId="labelled")["Versions"] == []
    first = client.put_secret_value(SecretId="labelled", SecretString="a", VersionStages=["AWSCURRENT", "FIRST"])
    client.put_secret_value(SecretId="labelled", SecretString="b")
    client.put_secret_value(SecretId="labelled", SecretString="c")
    assert client.get_secret_value(SecretId="labelled", VersionStage="FIRST")["VersionId"] == first["VersionId"]
    assert client.get_secret_value(SecretId="labelled")["SecretString"] == "c"


def test_a_log_group_that_is_there_gets_a_key_and_loses_it(aws: LocalAws) -> None:
    logs, kms = aws.client("logs"), aws.client("kms")
    logs.create_log_group(logGroupName="without-key")
    key = kms.create_key()["KeyMetadata"]

    def found() -> str | None:
        (group,) = logs.describe_log_groups(logGroupNamePrefix="without-key")["logGroups"]
        return str(group["kmsKeyId"]) if "kmsKeyId" in group else None

    logs.associate_kms_key(logGroupName="without-key", kmsKeyId=key["Arn"])
    assert found() == key["Arn"]
    kms.disable_key(KeyId=key["KeyId"])
    with pytest.raises(logs.exceptions.InvalidParameterException, match="does not exist or is not allowed"):
        logs.associate_kms_key(logGroupName="without-key", kmsKeyId=key["Arn"])
    logs.disassociate_kms_key(logGroupName="without-key")
    assert found() is None
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.associate_kms_key(logGroupName="not-there", kmsKeyId=key["Arn"])
