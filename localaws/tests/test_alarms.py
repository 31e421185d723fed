import json
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.testing import LocalAws


def alarm(aws: LocalAws, name: str, metric: str, **settings: Any) -> Any:
    """Put an alarm at the beginning of a minute: it looks every minute, and is to find what the test puts."""
    aws.advance(60 - aws.now.second)
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


def put(aws: LocalAws, metric: str, of: str, value: float, **more: Any) -> None:
    datum = {"MetricName": metric, "Value": value, "Dimensions": [{"Name": "of", "Value": of}], **more}
    aws.client("cloudwatch").put_metric_data(Namespace="Test", MetricData=[datum])


def state(aws: LocalAws, name: str) -> str:
    return str(aws.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"])


def test_an_alarm_looks_at_its_own_dimensions_only(aws: LocalAws) -> None:
    alarm(aws, "mine", "Errors")
    alarm(aws, "theirs", "Errors")
    put(aws, "Errors", "theirs", 1)
    aws.advance(60)
    assert (state(aws, "mine"), state(aws, "theirs")) == ("OK", "ALARM")


def test_a_heartbeat_that_stays_away_breaches_once_its_time_was_asked_for(aws: LocalAws) -> None:
    aws.advance(300)
    alarm(aws, "heartbeat", "Beats", Period=300, TreatMissingData="breaching")
    put(aws, "Beats", "heartbeat", 0)
    aws.advance(60)
    assert state(aws, "heartbeat") == "OK"
    aws.advance(600)
    assert state(aws, "heartbeat") == "OK"
    aws.advance(600)
    assert state(aws, "heartbeat") == "ALARM"


def test_a_new_alarm_on_nothing_waits_for_time_that_is_asked_for(aws: LocalAws) -> None:
    alarm(aws, "new", "Nothing", Period=86400, TreatMissingData="breaching")
    aws.advance(300)
    assert state(aws, "new") == "INSUFFICIENT_DATA"


@pytest.mark.parametrize(
    ("operator", "is_alarm"),
    [
        ("GreaterThanThreshold", False),
        ("GreaterThanOrEqualToThreshold", True),
        ("LessThanThreshold", False),
        ("LessThanOrEqualToThreshold", True),
    ],
)
def test_a_value_at_the_threshold_breaches_with_equality_only(aws: LocalAws, operator: str, is_alarm: bool) -> None:
    alarm(aws, operator, "Level", ComparisonOperator=operator, Threshold=5)
    put(aws, "Level", operator, 5)
    aws.advance(60)
    assert state(aws, operator) == ("ALARM" if is_alarm else "OK")


def test_an_alarm_with_a_unit_sees_that_unit_only(aws: LocalAws) -> None:
    alarm(aws, "in-seconds", "Wait", Unit="Seconds")
    alarm(aws, "in-any-unit", "Wait", Dimensions=[{"Name": "of", "Value": "in-seconds"}])
    put(aws, "Wait", "in-seconds", 1, Unit="Milliseconds")
    aws.advance(60)
    assert (state(aws, "in-seconds"), state(aws, "in-any-unit")) == ("OK", "ALARM")


def test_points_that_come_late_and_in_any_order_are_in_their_periods(aws: LocalAws) -> None:
    aws.advance(600)
    now = aws.now
    for minutes in (5, 1, 3):
        put(aws, "Late", "late", minutes, Timestamp=now - timedelta(minutes=minutes))
    points = aws.client("cloudwatch").get_metric_statistics(
        Namespace="Test",
        MetricName="Late",
        Dimensions=[{"Name": "of", "Value": "late"}],
        StartTime=now - timedelta(hours=1),
        EndTime=now,
        Period=60,
        Statistics=["Sum"],
    )["Datapoints"]
    assert [point["Sum"] for point in sorted(points, key=lambda point: point["Timestamp"])] == [5, 3, 1]


def test_the_history_tells_each_change_with_its_points(aws: LocalAws) -> None:
    client = alarm(aws, "told", "Errors", Period=60)
    for value in (1, 0, 2, 0):
        put(aws, "Errors", "told", value)
        aws.advance(60)
    pages = client.get_paginator("describe_alarm_history").paginate(
        AlarmName="told", HistoryItemType="StateUpdate", PaginationConfig={"PageSize": 3}
    )
    items = [item for page in pages for item in page["AlarmHistoryItems"]]
    changes = [json.loads(item["HistoryData"]) for item in reversed(items)]
    assert [change["newState"]["stateValue"] for change in changes] == ["ALARM", "OK", "ALARM", "OK"]
    assert changes[2]["oldState"]["stateValue"] == "OK"
    assert changes[2]["newState"]["stateReasonData"]["recentDatapoints"] == [2.0]
    assert changes[2]["newState"]["stateReason"].startswith("Threshold Crossed: [2.0 (")
    assert items[0]["Timestamp"] > items[-1]["Timestamp"]
    assert abs((aws.now - items[0]["Timestamp"]).total_seconds()) < 120


def test_the_query_protocol_says_as_much(aws: LocalAws) -> None:
    alarm(aws, "queried", "Errors <&>")
    put(aws, "Errors <&>", "queried", 1)
    aws.advance(60)
    answer = aws.query("monitoring", "2010-08-01", Action="DescribeAlarmHistory", AlarmName="queried")
    assert "stateReasonData" in answer and "<Timestamp>20" in answer
    listed = aws.query("monitoring", "2010-08-01", Action="ListMetrics", Namespace="Test")
    assert "<MetricName>Errors &lt;&amp;&gt;</MetricName>" in listed


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
