import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.testing import LocalAws

QUEUE = "arn:aws:sqs:us-east-1:000000000000:"
SEND = {"Action": "sqs:SendMessage"}


def queue(aws: LocalAws, name: str) -> str:
    return str(aws.client("sqs").create_queue(QueueName=name)["QueueUrl"])


def received(aws: LocalAws, url: str) -> list[Any]:
    client, found = aws.client("sqs"), []
    many = {"QueueUrl": url, "MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"]}
    while batch := client.receive_message(**many).get("Messages"):
        found += batch
        for message in batch:
            client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def schedule(aws: LocalAws, name: str, expression: str, target: dict[str, Any], **more: Any) -> None:
    aws.client("scheduler").create_schedule(
        Name=name, ScheduleExpression=expression, FlexibleTimeWindow={"Mode": "OFF"}, Target=target, **more
    )


@pytest.mark.parametrize("less_than", ["<", "\\u003c"])
def test_the_scheduled_time_is_put_in_and_no_occurrence_is_left_out(aws: LocalAws, less_than: str) -> None:
    name = "substituted" + str(len(less_than))
    url = queue(aws, name)
    role = aws.role(name, SEND, services=("scheduler.amazonaws.com",))
    text = json.dumps({"time": "<aws.scheduler.scheduled-time>"}).replace("<", less_than)
    text = text.replace(">", "\\u003e") if less_than != "<" else text
    schedule(aws, name, "cron(0/5 * * * ? *)", {"Arn": QUEUE + name, "RoleArn": role, "Input": text})
    aws.advance(900)
    times = [json.loads(message["Body"])["time"] for message in received(aws, url)]
    aws.client("scheduler").delete_schedule(Name=name)
    assert len(times) == 3
    assert all(time[14:] in {f"{minute:02}:00Z" for minute in range(0, 60, 5)} for time in times)


def test_a_rate_starts_at_once_as_on_aws(aws: LocalAws) -> None:
    url = queue(aws, "rated")
    role = aws.role("rated", SEND, services=("scheduler.amazonaws.com",))
    schedule(aws, "rated", "rate(1 hour)", {"Arn": QUEUE + "rated", "RoleArn": role})
    aws.advance(120)
    assert len(received(aws, url)) == 1
    aws.advance(3600)
    assert len(received(aws, url)) == 1
    aws.client("scheduler").delete_schedule(Name="rated")


def test_a_disabled_schedule_does_not_fire_and_does_not_catch_up(aws: LocalAws) -> None:
    url = queue(aws, "paused")
    role = aws.role("paused", SEND, services=("scheduler.amazonaws.com",))
    target = {"Arn": QUEUE + "paused", "RoleArn": role}
    settings = {"ScheduleExpression": "cron(0/5 * * * ? *)", "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": target}
    client = aws.client("scheduler")
    client.create_schedule(Name="paused", State="DISABLED", **settings)
    aws.advance(1800)
    assert received(aws, url) == []
    client.update_schedule(Name="paused", State="ENABLED", **settings)
    aws.advance(300)
    assert len(received(aws, url)) == 1
    client.delete_schedule(Name="paused")


def test_a_function_is_called_as_the_role_and_counts(aws: LocalAws) -> None:
    code = "def handler(event, context):\n    print(event)\n    raise KeyError('counted')\n"
    function = aws.function("scheduled", code, aws.role("scheduled-function", services=("lambda.amazonaws.com",)))
    may = aws.role("may-invoke", {"Action": "lambda:InvokeFunction"}, services=("scheduler.amazonaws.com",))
    may_not = aws.role("may-not-invoke", services=("scheduler.amazonaws.com",))
    schedule(aws, "not-allowed", "rate(1 day)", {"Arn": function, "RoleArn": may_not})
    aws.advance(60)
    assert aws.metric("AWS/Lambda", "Invocations", FunctionName="scheduled") is None
    schedule(aws, "allowed", "rate(1 day)", {"Arn": function, "RoleArn": may})
    aws.advance(60)
    assert aws.metric("AWS/Lambda", "Invocations", FunctionName="scheduled") == 1
    assert aws.metric("AWS/Lambda", "Errors", FunctionName="scheduled") == 1


def test_a_universal_target_calls_the_api_and_a_failure_becomes_a_dead_letter(aws: LocalAws) -> None:
    url = queue(aws, "dead")
    role = aws.role("universal", SEND, {"Action": "glue:StartJobRun"}, services=("scheduler.amazonaws.com",))
    target = {
        "Arn": "arn:aws:scheduler:::aws-sdk:glue:startJobRun",
        "RoleArn": role,
        "Input": json.dumps({"JobName": "no-such-job"}),
        "DeadLetterConfig": {"Arn": QUEUE + "dead"},
    }
    schedule(aws, "universal", "rate(1 day)", target)
    aws.advance(60)
    [letter] = received(aws, url)
    assert json.loads(letter["Body"]) == {"JobName": "no-such-job"}
    attributes = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert attributes["ERROR_CODE"] == "EntityNotFoundException"
    assert attributes["TARGET_ARN"] == target["Arn"]
    assert (aws.metric("AWS/Scheduler", "InvocationDroppedCount", ScheduleGroup="default") or 0) >= 1


def test_only_a_role_that_trusts_the_scheduler_is_used(aws: LocalAws) -> None:
    url = queue(aws, "untrusted")
    role = aws.role("untrusting", SEND, services=("lambda.amazonaws.com",))
    schedule(aws, "untrusted", "rate(1 day)", {"Arn": QUEUE + "untrusted", "RoleArn": role})
    aws.advance(60)
    assert received(aws, url) == []


def test_trust_that_is_taken_back_ends_at_once(aws: LocalAws) -> None:
    url = queue(aws, "distrusted")
    role = aws.role("distrusted", SEND, services=("scheduler.amazonaws.com",))
    schedule(aws, "distrusted", "rate(1 minute)", {"Arn": QUEUE + "distrusted", "RoleArn": role})
    aws.advance(60)
    assert received(aws, url)
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    aws.client("iam").update_assume_role_policy(RoleName="distrusted", PolicyDocument=document)
    aws.advance(120)
    aws.client("scheduler").delete_schedule(Name="distrusted")
    assert received(aws, url) == []


def test_other_time_zones_are_refused(aws: LocalAws) -> None:
    with pytest.raises(ClientError, match="UTC only"):
        schedule(aws, "zoned", "rate(1 day)", {"Arn": QUEUE, "RoleArn": "r"}, ScheduleExpressionTimezone="Europe/Rome")


def rule_to(aws: LocalAws, name: str, target_arn: str, source: str) -> str:
    client = aws.client("events")
    arn = client.put_rule(Name=name, EventPattern=json.dumps({"source": [source]}))["RuleArn"]
    client.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": target_arn}])
    return str(arn)


def allow_events(aws: LocalAws, topic: str) -> None:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": topic,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    aws.client("sns").set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)


def put_event(aws: LocalAws, source: str) -> None:
    entry = {"Source": source, "DetailType": "Test", "Detail": json.dumps({"of": source})}
    assert aws.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0


def test_a_rule_reaches_a_mailbox_through_a_topic_that_lets_it(aws: LocalAws) -> None:
    sns = aws.client("sns")
    topic = sns.create_topic(Name="told")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="told@example.com")
    rule_to(aws, "told", topic, "my.told")
    put_event(aws, "my.other")
    assert aws.metric("AWS/Events", "TriggeredRules", RuleName="told") is None
    allow_events(aws, topic)
    put_event(aws, "my.told")
    assert aws.metric("AWS/Events", "TriggeredRules", RuleName="told") == 1
    assert aws.metric("AWS/Events", "FailedInvocations", RuleName="told") is None
    [mail] = [mail for mail in aws.mail() if mail["to"] == "told@example.com"]
    assert json.loads(mail["body"].split("\n\n--\n")[0])["detail"] == {"of": "my.told"}


def test_a_rule_fails_at_a_topic_whose_policy_is_silent_about_it(aws: LocalAws) -> None:
    sns = aws.client("sns")
    topic = sns.create_topic(Name="closed")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="closed@example.com")
    policy = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": topic,
    }
    value = json.dumps({"Version": "2012-10-17", "Statement": [policy]})
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=value)
    rule_to(aws, "closed", topic, "my.closed")
    put_event(aws, "my.closed")
    assert aws.metric("AWS/Events", "FailedInvocations", RuleName="closed") == 1
    assert [mail for mail in aws.mail() if mail["to"] == "closed@example.com"] == []


def test_a_rule_invokes_a_function_that_permits_it_and_the_failure_is_retried(aws: LocalAws) -> None:
    code = "def handler(event, context):\n    raise KeyError(event['detail']['of'])\n"
    function = aws.function("ruled", code, aws.role("ruled", services=("lambda.amazonaws.com",)))
    rule = rule_to(aws, "ruled", function, "my.ruled")
    put_event(aws, "my.ruled")
    assert aws.metric("AWS/Events", "FailedInvocations", RuleName="ruled") == 1
    aws.client("lambda").add_permission(
        FunctionName=function,
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=rule,
    )
    put_event(aws, "my.ruled")
    aws.advance(240)
    assert aws.metric("AWS/Lambda", "Errors", FunctionName="ruled") == 3


def test_a_rule_needs_the_key_of_an_encrypted_topic(aws: LocalAws) -> None:
    kms, sns = aws.client("kms"), aws.client("sns")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    topic = sns.create_topic(Name="sealed", Attributes={"KmsMasterKeyId": key})["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="sealed@example.com")
    allow_events(aws, topic)
    rule_to(aws, "sealed", topic, "my.sealed")
    put_event(aws, "my.sealed")
    assert aws.metric("AWS/Events", "FailedInvocations", RuleName="sealed") == 1
    policy = json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])
    service = {"Service": "events.amazonaws.com"}
    actions = ["kms:Decrypt", "kms:GenerateDataKey*"]
    policy["Statement"].append({"Effect": "Allow", "Principal": service, "Action": actions, "Resource": "*"})
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(policy))
    put_event(aws, "my.sealed")
    assert len([mail for mail in aws.mail() if mail["to"] == "sealed@example.com"]) == 1
