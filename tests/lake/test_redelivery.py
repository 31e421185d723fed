"""Messages that a delivery stream could not deliver: what waits, and that each is sent again once."""

import base64
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from lake.core import firehose
from lake.core.s3 import Location
from lake.environment.deployment import Platform
from lake.maintenance import redelivery
from lake.maintenance.redelivery import FAILED_VALIDATION, Message, NotAllSent, Stream

BROKEN = "Lambda.FunctionError"
SOURCE = Stream("iot", Location("lake", "firehose-errors/"))


@dataclass
class Firehose:
    """A stream that refuses the messages in ``refuses`` as often as the number says."""

    refuses: dict[bytes, int] = field(default_factory=dict)
    taken: list[bytes] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)

    def put_record_batch(self, DeliveryStreamName: str, Records: list[dict[str, bytes]]) -> dict[str, Any]:  # noqa: N803 - AWS's names
        assert DeliveryStreamName == "iot"
        self.calls.append(len(Records))
        return {"RequestResponses": [self._answer(record["Data"]) for record in Records]}

    def _answer(self, data: bytes) -> dict[str, str]:
        if self.refuses.get(data, 0):
            self.refuses[data] -= 1
            return {"ErrorCode": "ServiceUnavailableException"}
        self.taken.append(data)
        return {"RecordId": "1"}


@dataclass
class Session:
    """Clients of moto, and the stream of the test."""

    firehose: Firehose

    def client(self, service: Any) -> Any:
        return self.firehose if service == "firehose" else boto3.client(service)


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    monkeypatch.setattr(firehose, "time", SimpleNamespace(sleep=lambda _seconds: None))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket="lake")
        keys = [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")]
        schema = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
        boto3.client("dynamodb").create_table(
            TableName="ledger", AttributeDefinitions=keys, KeySchema=schema, BillingMode="PAY_PER_REQUEST"
        )
        yield Platform("dev", {"ledger": "ledger"}, Session(Firehose()))


def put(name: str, *messages: tuple[str, bytes], packed: bool = False) -> None:
    """An error object with these messages, each with the code of why it was refused."""
    lines = [
        {"rawData": base64.b64encode(data).decode(), "errorCode": code, "arrivalTimestamp": 1795272456000}
        for code, data in messages
    ]
    body = "\n".join(map(json.dumps, lines)).encode() + b"\n"
    stored = gzip.compress(body) if packed else body
    boto3.client("s3").put_object(Bucket="lake", Key=f"firehose-errors/{name}", Body=stored)


def codes(platform: Platform) -> list[tuple[str, bytes]]:
    return [(message.code, message.data) for message in redelivery.waiting(platform, SOURCE)]


def test_what_waits_is_told_with_why_and_where_packed_or_not(platform: Platform) -> None:
    put("a", (BROKEN, b"one"), (FAILED_VALIDATION, b"no json"))
    put("b.gz", (BROKEN, b"two"), packed=True)
    waiting = redelivery.waiting(platform, SOURCE)
    assert [(message.stored.key, message.line, message.failed_validation) for message in waiting] == [
        ("firehose-errors/a", 1, False),
        ("firehose-errors/a", 2, True),
        ("firehose-errors/b.gz", 1, False),
    ]
    assert f"{waiting[0].arrived_at:%Y-%m-%dT%H:%M:%S%z}" == "2026-11-21T14:47:36+0000"


def test_what_firehose_has_not_written_is_named_and_keeps_no_message_waiting(
    platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    put("a", (BROKEN, b"one"))
    (good,) = boto3.client("s3").get_object(Bucket="lake", Key="firehose-errors/a")["Body"].read().splitlines()
    odd = [b"no json", b"[]", b"7", b"{}", b'{"rawData": 7}', good.replace(b'"arrivalTimestamp"', b'"other"')]
    odd += [good.replace(b"1795272456000", each) for each in (b"null", b'"x"', b"1" + b"0" * 400, b"[]")]
    odd += [good.replace(b"b25l", b"b25"), b"[" * 100_000]
    s3 = boto3.client("s3")
    s3.put_object(Bucket="lake", Key="firehose-errors/b", Body=b"\n".join([*odd, good]))
    s3.put_object(Bucket="lake", Key="firehose-errors/c", Body=gzip.compress(good)[:-9])
    s3.put_object(Bucket="lake", Key="firehose-errors/d", Body=b"PAR1\0\xff\r")
    assert codes(platform) == [(BROKEN, b"one"), (BROKEN, b"one")]
    assert f"firehose-errors/b: {len(odd)} lines are no failed deliveries, first line 1" in caplog.text
    assert "firehose-errors/c cannot be read (gzip:object)" in caplog.text
    assert "firehose-errors/d: 1 lines" in caplog.text


def test_each_message_is_sent_once_and_the_others_go_on_waiting(platform: Platform) -> None:
    put("a", (BROKEN, b"one"), (FAILED_VALIDATION, b"no json"))
    put("b", (BROKEN, b"two"))
    chosen = [message for message in redelivery.waiting(platform, SOURCE) if not message.failed_validation]
    assert redelivery.send(platform, SOURCE, chosen) == 2
    assert codes(platform) == [(FAILED_VALIDATION, b"no json")]
    assert platform.session.firehose.taken == [b"one", b"two"]
    put("c", (BROKEN, b"three"))
    assert codes(platform) == [(FAILED_VALIDATION, b"no json"), (BROKEN, b"three")]


def test_only_what_the_stream_did_not_take_is_sent_again(platform: Platform) -> None:
    put("a", (BROKEN, b"one"), (BROKEN, b"two"), (BROKEN, b"three"))
    platform.session.firehose.refuses = {b"two": 2}
    assert redelivery.send(platform, SOURCE, redelivery.waiting(platform, SOURCE)) == 3
    assert platform.session.firehose.calls == [3, 1, 1]
    assert platform.session.firehose.taken == [b"one", b"three", b"two"]


def test_what_the_stream_never_takes_is_said_and_waits(platform: Platform) -> None:
    put("a", (BROKEN, b"one"), (BROKEN, b"two"))
    platform.session.firehose.refuses = {b"two": 99}
    with pytest.raises(NotAllSent, match="iot did not take 1 of 2 messages"):
        redelivery.send(platform, SOURCE, redelivery.waiting(platform, SOURCE))
    assert codes(platform) == [(BROKEN, b"two")]


def test_a_batch_is_no_larger_than_the_stream_takes(platform: Platform) -> None:
    put("a", *((BROKEN, b"%d" % number) for number in range(firehose.RECORDS_PER_CALL + 1)))
    redelivery.send(platform, SOURCE, redelivery.waiting(platform, SOURCE))
    assert platform.session.firehose.calls == [firehose.RECORDS_PER_CALL, 1]
    assert redelivery.waiting(platform, SOURCE) == []


def test_a_batch_is_no_heavier_than_the_stream_takes(platform: Platform) -> None:
    put("a", (BROKEN, b"x"))
    (one,) = redelivery.waiting(platform, SOURCE)
    heavy = [Message(one.stored, line, one.arrived_at, one.code, bytes(1024 * 1000)) for line in range(1, 6)]
    redelivery.send(platform, SOURCE, heavy)
    assert platform.session.firehose.calls == [4, 1]
