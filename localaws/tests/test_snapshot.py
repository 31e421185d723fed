"""What one localaws held, another one holds that was started from its snapshot."""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from localaws import client
from localaws.testing import LocalAws, command

TRUST = ("lambda.amazonaws.com",)
pytestmark = pytest.mark.component
TRUST = ("lambda.amazonaws.com",)
CODE = "def handler(event, context):\n    return event['number'] + 1\n"


def populate(aws: LocalAws) -> None:
    """Something in each kind of store: a bucket, a queue, a function, a metric, mail."""
    aws.client("s3").create_bucket(Bucket="kept")
    aws.client("s3").put_object(Bucket="kept", Key="object", Body=b"\x00content")
    aws.client("sqs").create_queue(QueueName="kept")
    aws.function("kept", CODE, aws.role("kept", services=TRUST))
    aws.client("cloudwatch").put_metric_data(Namespace="Kept", MetricData=[{"MetricName": "One", "Value": 3}])
    topic = aws.client("sns").create_topic(Name="kept")["TopicArn"]
    aws.client("sns").subscribe(TopicArn=topic, Protocol="email", Endpoint="somebody@example.com")
    aws.client("sns").publish(TopicArn=topic, Subject="kept", Message="kept")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LocalAws, LocalAws]]:
    """One that was saved, and one that was started from that, both running."""
    folder = tmp_path_factory.mktemp("snapshot")
    with client.running(folder / "first") as first:
        saved = LocalAws(first.home, first.port, first.environment)
        populate(saved)
        saved.advance(7200)
        saved.save(folder / "kept")
        with client.running(folder / "second", folder / "kept") as second:
            yield saved, LocalAws(second.home, second.port, second.environment)


def test_what_was_held_is_there(pair: tuple[LocalAws, LocalAws]) -> None:
    _, restored = pair
    assert restored.client("s3").get_object(Bucket="kept", Key="object")["Body"].read() == b"\x00content"
    answer = restored.client("lambda").invoke(FunctionName="kept", Payload=b'{"number": 1}')
    assert answer["Payload"].read() == b"2"
    assert restored.metric("Kept", "One") == 3
    assert [mail["subject"] for mail in restored.mail()] == ["kept"]


def test_a_queue_is_found_by_the_address_that_it_had_elsewhere(pair: tuple[LocalAws, LocalAws]) -> None:
    saved, restored = pair
    url = saved.client("sqs").get_queue_url(QueueName="kept")["QueueUrl"]
    restored.client("sqs").send_message(QueueUrl=url, MessageBody="here")
    received = restored.client("sqs").receive_message(QueueUrl=url)["Messages"]
    assert [message["Body"] for message in received] == ["here"]
    assert "Messages" not in saved.client("sqs").receive_message(QueueUrl=url)


def test_its_keys_are_the_same_and_its_address_is_its_own(pair: tuple[LocalAws, LocalAws]) -> None:
    saved, restored = pair
    address = {"AWS_ENDPOINT_URL": restored.endpoint}
    assert restored.environment == {**saved.environment, **address}
    assert restored.endpoint != saved.endpoint


def test_time_goes_on_where_it_was(pair: tuple[LocalAws, LocalAws]) -> None:
    saved, restored = pair
    assert abs(restored.now - saved.now) < timedelta(minutes=5)


def test_one_does_not_see_what_the_other_is_told(pair: tuple[LocalAws, LocalAws]) -> None:
    saved, restored = pair
    restored.client("s3").create_bucket(Bucket="new")
    assert [bucket["Name"] for bucket in saved.client("s3").list_buckets()["Buckets"]] == ["kept"]


def test_it_is_taken_by_command(pair: tuple[LocalAws, LocalAws], tmp_path: Path) -> None:
    _, restored = pair
    done = command(f"snapshot {tmp_path}/by-hand", restored.process_environment())
    assert (done.returncode, done.stdout) == (0, f"the state is kept in {tmp_path}/by-hand\n"), done.stderr


def test_a_folder_without_a_snapshot_is_said_in_one_sentence(tmp_path: Path) -> None:
    environment = {**os.environ, "LOCALAWS_HOME": str(tmp_path / "home"), "LOCALAWS_PORT": "0"}
    failed = command(f"up --from {tmp_path}", environment)
    assert failed.returncode == 1
    assert f"{tmp_path} holds no snapshot" in failed.stderr
    assert "Traceback" not in failed.stderr
