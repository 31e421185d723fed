import base64
import http.server
import json
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from localaws.client import running
from localaws.testing import LocalAws

CODE = """
import datetime, logging, os
logging.getLogger().setLevel("INFO")

def handler(event, context):
    logging.info("seen %s", event)
    if event.get("fail"):
        raise ValueError("on purpose")
    return {"environment": dict(os.environ), "now": datetime.datetime.now(datetime.UTC).isoformat()}
"""

# What AWS gives to a function, what localaws adds to lead it here, and what MiniStack's worker needs.
GIVEN = {"PATH", "LANG", "LC_CTYPE", "TZ", "TMPDIR", "PYTHONPATH", "LAMBDA_TASK_ROOT", "MINE"}
GIVEN_PREFIXES = ("AWS_", "_LAMBDA_", "_LOCALAWS_", "_MINISTACK_", "LOCALAWS_CLOCK_FILE")


@pytest.fixture(scope="module")
def role(aws: LocalAws) -> str:
    return aws.role("functions", services=("lambda.amazonaws.com",))


@pytest.fixture(scope="module")
def work(aws: LocalAws, role: str) -> str:
    return aws.function("work", CODE, role, Environment={"Variables": {"MINE": "yes"}})


def invoke(aws: LocalAws, name: str, event: dict[str, Any], **more: Any) -> Any:
    return aws.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode(), **more)


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < deadline, "did not come true within five minutes"
        time.sleep(0.05)


def test_a_function_sees_its_own_environment_only(aws: LocalAws, work: str) -> None:
    environment = json.load(invoke(aws, work, {})["Payload"])["environment"]
    assert environment["MINE"] == "yes"
    assert environment["AWS_ENDPOINT_URL"] == aws.endpoint
    assert environment["AWS_ACCESS_KEY_ID"] != aws.environment["AWS_ACCESS_KEY_ID"]
    assert [name for name in environment if name not in GIVEN and not name.startswith(GIVEN_PREFIXES)] == []


def test_logging_reaches_the_log_with_level_and_request(aws: LocalAws, work: str) -> None:
    tail = base64.b64decode(invoke(aws, work, {"a": 1}, LogType="Tail")["LogResult"]).decode()
    assert tail.startswith("[INFO]\t20")
    assert tail.endswith("\tseen {'a': 1}")
    events = aws.client("logs").filter_log_events(logGroupName="/aws/lambda/work")["events"]
    assert any("seen {'a': 1}" in event["message"] for event in events)


def test_an_error_has_the_type_of_its_exception(aws: LocalAws, work: str) -> None:
    answer = invoke(aws, work, {"fail": True})
    assert answer["FunctionError"] == "Unhandled"
    assert json.load(answer["Payload"])["errorType"] == "ValueError"


def test_a_change_of_configuration_reaches_the_next_call(aws: LocalAws, role: str) -> None:
    name = aws.function("changed", CODE, role, Environment={"Variables": {"MINE": "old"}})
    assert json.load(invoke(aws, name, {})["Payload"])["environment"]["MINE"] == "old"
    aws.client("lambda").update_function_configuration(FunctionName=name, Environment={"Variables": {"MINE": "new"}})
    assert json.load(invoke(aws, name, {})["Payload"])["environment"]["MINE"] == "new"


def test_a_payload_over_6_mb_is_refused(aws: LocalAws, work: str) -> None:
    with pytest.raises(ClientError, match="RequestTooLargeException"):
        invoke(aws, work, {"padding": "x" * 7_000_000})


def test_a_warm_function_follows_the_clock(aws: LocalAws, work: str) -> None:
    before = json.load(invoke(aws, work, {})["Payload"])["now"]
    aws.advance(7200)
    after = json.load(invoke(aws, work, {})["Payload"])["now"]
    assert after[:13] > before[:13]


def test_asynchronous_calls_are_retried_by_the_clock_counted_and_given_up(aws: LocalAws) -> None:
    sqs = aws.client("sqs")
    queue = sqs.create_queue(QueueName="failures")["QueueUrl"]
    queue_arn = "arn:aws:sqs:us-east-1:000000000000:failures"
    sender = aws.role("may-send", {"Action": "sqs:SendMessage"}, services=("lambda.amazonaws.com",))
    name = aws.function("retried", CODE, sender)
    aws.client("lambda").put_function_event_invoke_config(
        FunctionName=name, MaximumRetryAttempts=2, DestinationConfig={"OnFailure": {"Destination": queue_arn}}
    )

    def counted() -> tuple[float | None, float | None]:
        errors = aws.metric("AWS/Lambda", "Errors", FunctionName="retried")
        return errors, aws.metric("AWS/Lambda", "Invocations", FunctionName="retried")

    assert invoke(aws, name, {"fail": True}, InvocationType="Event")["StatusCode"] == 202
    eventually(lambda: counted() == (1, 1))
    aws.advance(60)
    assert counted() == (2, 2)
    aws.advance(60)
    assert counted() == (2, 2)
    aws.advance(60)
    assert counted() == (3, 3)
    message = json.loads(sqs.receive_message(QueueUrl=queue)["Messages"][0]["Body"])
    assert message["requestPayload"] == {"fail": True}
    assert message["requestContext"]["condition"] == "RetriesExhausted"
    assert message["requestContext"]["approximateInvokeCount"] == 3
    assert message["responsePayload"]["errorType"] == "ValueError"


def test_a_failure_goes_nowhere_when_the_role_may_not_send(aws: LocalAws, role: str) -> None:
    queue = aws.client("sqs").create_queue(QueueName="unreachable")["QueueUrl"]
    name = aws.function("not-allowed", CODE, role)
    aws.client("lambda").put_function_event_invoke_config(
        FunctionName=name,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:000000000000:unreachable"}},
    )
    invoke(aws, name, {"fail": True}, InvocationType="Event")
    eventually(lambda: aws.metric("AWS/Lambda", "DestinationDeliveryFailures", FunctionName="not-allowed") == 1)
    assert "Messages" not in aws.client("sqs").receive_message(QueueUrl=queue)


def test_throttled_events_wait_for_concurrency_and_count_as_throttles_only(aws: LocalAws, role: str) -> None:
    name = aws.function("held-back", CODE, role)
    client = aws.client("lambda")
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    invoke(aws, name, {}, InvocationType="Event")
    eventually(lambda: aws.metric("AWS/Lambda", "Throttles", FunctionName="held-back") == 1)
    aws.advance(600)
    assert aws.metric("AWS/Lambda", "Invocations", FunctionName="held-back") is None
    client.delete_function_concurrency(FunctionName=name)
    aws.advance(120)
    assert aws.metric("AWS/Lambda", "Invocations", FunctionName="held-back") == 1


def test_an_alias_has_its_own_rules_for_failures_and_the_concurrency_of_its_function(aws: LocalAws) -> None:
    sqs, client = aws.client("sqs"), aws.client("lambda")
    queue = sqs.create_queue(QueueName="failures-of-live")["QueueUrl"]
    sender = aws.role("may-send-live", {"Action": "sqs:SendMessage"}, services=("lambda.amazonaws.com",))
    name = aws.function("versioned", CODE, sender)
    first = client.publish_version(FunctionName=name)["Version"]
    client.create_alias(FunctionName=name, Name="live", FunctionVersion=first)
    client.put_function_event_invoke_config(
        FunctionName=name,
        Qualifier="live",
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:000000000000:failures-of-live"}},
    )
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    invoke(aws, name, {"fail": True}, InvocationType="Event", Qualifier="live")
    eventually(lambda: (aws.metric("AWS/Lambda", "Throttles", FunctionName="versioned") or 0) >= 1)
    assert aws.metric("AWS/Lambda", "Invocations", FunctionName="versioned") is None
    client.delete_function_concurrency(FunctionName=name)
    aws.advance(120)
    message = json.loads(sqs.receive_message(QueueUrl=queue)["Messages"][0]["Body"])
    assert message["requestContext"]["functionArn"].endswith(":function:versioned:live")
    assert message["responseContext"]["executedVersion"] == first


def test_an_alias_leads_to_another_version_at_once(aws: LocalAws, role: str) -> None:
    client, name = aws.client("lambda"), aws.function("switched", CODE, role, Environment={"Variables": {"MINE": "1"}})
    first = client.publish_version(FunctionName=name)["Version"]
    client.create_alias(FunctionName=name, Name="live", FunctionVersion=first)
    client.update_function_configuration(FunctionName=name, Environment={"Variables": {"MINE": "2"}})

    def seen() -> str:
        return str(json.load(invoke(aws, f"{name}:live", {})["Payload"])["environment"]["MINE"])

    assert seen() == "1"
    second = client.publish_version(FunctionName=name)["Version"]
    client.update_alias(FunctionName=name, Name="live", FunctionVersion=second)
    assert seen() == "2"
    client.update_alias(FunctionName=name, Name="live", FunctionVersion=first)
    assert seen() == "1"


@pytest.mark.parametrize(("event", "status"), [({}, "success"), ({"fail": True}, "error"), ({"late": 1}, "timeout")])
def test_a_json_log_has_platform_events_in_json(aws: LocalAws, role: str, event: dict[str, Any], status: str) -> None:
    code = "import time\n" + CODE.replace("    if event", "    time.sleep(2 * event.get('late', 0))\n    if event")
    group = f"/aws/lambda/json-log-{status}"
    invoke(aws, aws.function(f"json-log-{status}", code, role, Timeout=1, LoggingConfig={"LogFormat": "JSON"}), event)

    def found(pattern: str) -> list[dict[str, Any]]:
        events = aws.client("logs").filter_log_events(logGroupName=group, filterPattern=pattern)["events"]
        return [json.loads(entry["message"]) for entry in events]

    (started,), (report,) = found('{ $.type = "platform.start" }'), found('{ $.type = "platform.report" }')
    assert (started["record"]["version"], report["record"]["status"]) == ("$LATEST", status)
    assert report["record"]["metrics"]["memorySizeMB"] == 128
    assert started["record"]["requestId"] == report["record"]["requestId"]
    assert [line.get("type", "of the function") for line in found("")][0::len(found("")) - 1] == [
        "platform.start", "platform.report",
    ]  # fmt: skip


def test_a_new_account_has_nothing_to_reserve_but_can_stop_a_function(aws: LocalAws, role: str) -> None:
    name, client = aws.function("reserved", CODE, role), aws.client("lambda")
    limits = client.get_account_settings()["AccountLimit"]
    assert (limits["ConcurrentExecutions"], limits["UnreservedConcurrentExecutions"]) == (10, 10)
    with pytest.raises(ClientError, match=r"below its minimum value of \[10\]") as caught:
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    assert caught.value.response["Error"]["Code"] == "InvalidParameterValueException"
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    client.delete_function_concurrency(FunctionName=name)


@pytest.mark.component
@pytest.mark.parametrize(("asked", "refused"), [(20, False), (21, True)])
def test_a_larger_quota_keeps_a_hundred_unreserved(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, asked: int, refused: bool
) -> None:
    monkeypatch.setenv("LOCALAWS_ACCOUNT_CONCURRENCY", "120")
    with running(tmp_path) as started:
        aws = LocalAws(started.home, started.port, started.environment)
        name = aws.function("larger", CODE, aws.role("larger", services=("lambda.amazonaws.com",)))
        refusal = pytest.raises(ClientError, match=r"minimum value of \[100\]") if refused else nullcontext()
        with refusal:
            aws.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=asked)


@pytest.mark.parametrize(("disabled", "code"), [(True, "KMSDisabledException"), (False, "KMSInvalidStateException")])
def test_a_function_does_not_start_while_the_key_of_its_environment_is_unusable(
    aws: LocalAws, role: str, disabled: bool, code: str
) -> None:
    kms, name = aws.client("kms"), f"sealed-{disabled}"
    key = kms.create_key()["KeyMetadata"]["Arn"]
    aws.function(name, CODE, role, KMSKeyArn=key)
    if disabled:
        kms.disable_key(KeyId=key)
    else:
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    once = aws.session.client("lambda", endpoint_url=aws.endpoint, config=Config(retries={"total_max_attempts": 1}))
    with pytest.raises(ClientError, match="unable to decrypt the environment variables") as caught:
        once.invoke(FunctionName=name)
    answer = caught.value.response
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (code, 502)
    invoke(aws, name, {}, InvocationType="Event")
    aws.advance(60)
    counted = [aws.metric("AWS/Lambda", metric, FunctionName=name) for metric in ("Invocations", "Errors", "Throttles")]
    assert counted == [None, None, None]
    if not disabled:
        kms.cancel_key_deletion(KeyId=key)
    kms.enable_key(KeyId=key)
    aws.advance(120)
    assert aws.metric("AWS/Lambda", "Invocations", FunctionName=name) == 1


def test_throttled_calls_are_counted_as_throttles_only(aws: LocalAws, role: str) -> None:
    name = aws.function("throttled", CODE, role)
    client = aws.client("lambda")
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    once = aws.session.client("lambda", endpoint_url=aws.endpoint, config=Config(retries={"total_max_attempts": 1}))
    with pytest.raises(ClientError, match="TooManyRequestsException"):
        once.invoke(FunctionName=name)
    assert (aws.metric("AWS/Lambda", "Throttles", FunctionName="throttled") or 0) >= 1
    assert aws.metric("AWS/Lambda", "Invocations", FunctionName="throttled") is None


def test_a_call_that_waits_while_the_clock_moves_has_lasted_that_long(aws: LocalAws, role: str) -> None:
    asked, release = threading.Event(), threading.Event()

    class Slow(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.set()
            release.wait(20)
            self.send_response(204)
            self.end_headers()

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        code = "import urllib.request\ndef handler(event, context):\n"
        code += f"    urllib.request.urlopen('http://127.0.0.1:{server.server_address[1]}/')\n"
        name = aws.function("slow", code, role, Timeout=300)
        call = threading.Thread(target=invoke, args=(aws, name, {}))
        call.start()
        assert asked.wait(20)
        aws.advance(250)
        release.set()
        call.join()
        server.shutdown()
    duration = aws.metric("AWS/Lambda", "Duration", "Maximum", FunctionName="slow")
    assert duration is not None
    assert 250_000 < duration < 300_000
    assert aws.metric("AWS/Lambda", "Errors", FunctionName="slow") == 0
