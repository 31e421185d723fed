import urllib.error
import urllib.request

import pytest
from botocore.exceptions import ClientError

from localaws.testing import LocalAws


def test_a_service_that_is_not_on_the_list_answers_501(aws: LocalAws) -> None:
    with pytest.raises(ClientError, match="has no service elasticmapreduce"):
        aws.client("emr").list_clusters()
    with pytest.raises(ClientError, match="has no service ec2"):
        aws.client("ec2").describe_instances()


def test_unknown_s3_sub_resources_answer_501_and_leave_the_bucket(aws: LocalAws) -> None:
    client = aws.client("s3")
    client.create_bucket(Bucket="still-there")
    for call in (client.get_bucket_metrics_configuration, client.delete_bucket_metrics_configuration):
        with pytest.raises(ClientError, match="NotImplemented"):
            call(Bucket="still-there", Id="all")
    with pytest.raises(ClientError, match="NotImplemented"):
        client.put_bucket_metrics_configuration(Bucket="still-there", Id="all", MetricsConfiguration={"Id": "all"})
    client.head_bucket(Bucket="still-there")


@pytest.mark.parametrize(
    ("service", "call", "arguments"),
    [
        ("secretsmanager", "rotate_secret", {"SecretId": "x"}),
        ("glue", "start_crawler", {"Name": "x"}),
        ("logs", "start_query", {"logGroupName": "x", "startTime": 0, "endTime": 1, "queryString": "nonsense"}),
        ("lambda", "create_event_source_mapping", {"FunctionName": "x", "EventSourceArn": "arn:aws:kinesis:x"}),
        ("cloudwatch", "put_composite_alarm", {"AlarmName": "x", "AlarmRule": "TRUE"}),
        ("events", "put_rule", {"Name": "x", "ScheduleExpression": "rate(1 minute)"}),
    ],
)
def test_what_is_known_to_be_fake_is_refused(
    aws: LocalAws, service: str, call: str, arguments: dict[str, object]
) -> None:
    with pytest.raises(ClientError) as error:
        getattr(aws.client(service), call)(**arguments)
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


def test_the_doors_of_ministack_are_closed_and_browsers_of_other_origins_get_nothing(aws: LocalAws) -> None:
    for path in ("/_ministack/reset", "/_ministack/config"):
        with pytest.raises(urllib.error.HTTPError, match="501"):
            urllib.request.urlopen(f"{aws.endpoint}{path}", b"{}")
    headers = aws.client("sts").get_caller_identity()["ResponseMetadata"]["HTTPHeaders"]
    assert not [name for name in headers if name.startswith("access-control-")]
