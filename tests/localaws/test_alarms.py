import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.alarms import next_state
from tests.localaws.conftest import LocalAws

# AWS's own tables, "Configuring how CloudWatch alarms treat missing data": 0 within, X breaching, - missing; then the
# state for missing, ignore, breaching, notBreaching, where "keep" means the present state.
THREE_OF_THREE = [
    ("0-X-X", "OK", "OK", "OK", "OK"),
    ("----0", "OK", "OK", "OK", "OK"),
    ("-----", "INSUFFICIENT_DATA", "keep", "ALARM", "OK"),
    ("0XX-X", "ALARM", "ALARM", "ALARM", "ALARM"),
    ("--X--", "ALARM", "keep", "ALARM", "OK"),
]
TWO_OF_THREE = [
    ("0-X-X", "ALARM", "ALARM", "ALARM", "ALARM"),
    ("00X0X", "ALARM", "ALARM", "ALARM", "ALARM"),
    ("0-X--", "OK", "OK", "ALARM", "OK"),
    ("----0", "OK", "OK", "ALARM", "OK"),
    ("----X", "ALARM", "keep", "ALARM", "OK"),
]


@pytest.mark.parametrize(("to_alarm", "row"), [(3, row) for row in THREE_OF_THREE] + [(2, row) for row in TWO_OF_THREE])
def test_the_evaluator_agrees_with_the_published_tables(to_alarm: int, row: tuple[str, ...]) -> None:
    points = [{"0": False, "X": True, "-": None}[letter] for letter in row[0]]
    treatments = ("missing", "ignore", "breaching", "notBreaching")
    assert tuple(next_state(points, 3, to_alarm, treatment, "keep") for treatment in treatments) == row[1:]


def alarm(aws: LocalAws, name: str, metric: str, **settings: Any) -> Any:
    client = aws.client("cloudwatch")
    defaults = {
        "Namespace": "Test",
        "MetricName": metric,
        "Dimensions": [{"Name": "of", "Value": name}],
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
    }
    client.put_metric_alarm(AlarmName=name, **(defaults | settings))
    return client


def put(aws: LocalAws, metric: str, of: str, value: float) -> None:
    datum = {"MetricName": metric, "Value": value, "Dimensions": [{"Name": "of", "Value": of}]}
    aws.client("cloudwatch").put_metric_data(Namespace="Test", MetricData=[datum])


def state(aws: LocalAws, name: str) -> str:
    return str(aws.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"])


def test_an_alarm_looks_at_its_own_dimensions_only(aws: LocalAws) -> None:
    alarm(aws, "mine", "Errors")
    alarm(aws, "theirs", "Errors")
    put(aws, "Errors", "theirs", 1)
    aws.advance(60)
    assert (state(aws, "mine"), state(aws, "theirs")) == ("OK", "ALARM")


def test_a_heartbeat_that_stays_away_breaches(aws: LocalAws) -> None:
    alarm(aws, "heartbeat", "Beats", TreatMissingData="breaching")
    aws.advance(60)
    assert state(aws, "heartbeat") == "ALARM"


def test_one_of_three_is_not_three_of_three(aws: LocalAws) -> None:
    alarm(aws, "patient", "Slow", EvaluationPeriods=3, DatapointsToAlarm=3)
    for expected in ("OK", "OK", "ALARM"):
        put(aws, "Slow", "patient", 1)
        aws.advance(60)
        assert state(aws, "patient") == expected


def test_a_failing_function_alarms_by_mail_and_recovers(aws: LocalAws) -> None:
    sns = aws.client("sns")
    topic = sns.create_topic(Name="alerts")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="alerts@example.com")
    allow = {"Effect": "Allow", "Principal": {"Service": "cloudwatch.amazonaws.com"}, "Action": "sns:Publish"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{**allow, "Resource": topic}]})
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    code = "def handler(event, context):\n    if event: raise ValueError('x')\n"
    function = aws.function("alarming", code, aws.role("alarming", services=("lambda.amazonaws.com",)))
    alarm(
        aws,
        "alarming-errors",
        "Errors",
        Namespace="AWS/Lambda",
        Dimensions=[{"Name": "FunctionName", "Value": "alarming"}],
        Period=300,
        AlarmActions=[topic],
        OKActions=[topic],
    )

    def subjects() -> list[str]:
        return [mail["subject"].split(" ")[0] for mail in aws.mail() if mail["to"] == "alerts@example.com"]

    aws.advance(60)
    assert subjects() == ["OK:"]
    aws.client("lambda").invoke(FunctionName=function, Payload=b'{"fail": true}')
    aws.advance(60)
    assert subjects() == ["OK:", "ALARM:"]
    aws.client("lambda").invoke(FunctionName=function, Payload=b"{}")
    aws.advance(1500)
    assert subjects() == ["OK:", "ALARM:", "OK:"]
    body = json.loads(aws.mail()[-1]["body"].split("\n\n--\n")[0])
    assert (body["AlarmName"], body["OldStateValue"], body["NewStateValue"]) == ("alarming-errors", "ALARM", "OK")


def test_an_alarm_cannot_publish_to_a_topic_that_does_not_let_it(aws: LocalAws) -> None:
    sns = aws.client("sns")
    topic = sns.create_topic(Name="deaf")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="deaf@example.com")
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": topic,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    client = alarm(aws, "unheard", "Errors", AlarmActions=[topic])
    client.set_alarm_state(AlarmName="unheard", StateValue="ALARM", StateReason="test")
    assert [mail for mail in aws.mail() if mail["to"] == "deaf@example.com"] == []
    history = client.describe_alarm_history(AlarmName="unheard", HistoryItemType="Action")["AlarmHistoryItems"]
    assert "Failed to execute action" in history[0]["HistorySummary"]


def test_what_is_not_evaluated_is_refused(aws: LocalAws) -> None:
    query = {"Id": "a", "Expression": "1 + 1", "ReturnData": True}
    with pytest.raises(ClientError, match="one metric against a fixed threshold"):
        aws.client("cloudwatch").put_metric_alarm(
            AlarmName="math",
            Metrics=[query],
            EvaluationPeriods=1,
            Threshold=0,
            ComparisonOperator="GreaterThanThreshold",
        )
