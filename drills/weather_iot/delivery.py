"""Scenario 3: what was sent does not arrive in S3."""

from typing import Any

from drills import faults
from drills.drill import Drill, require
from drills.lake import Lake
from drills.weather_iot.stream_generate import arrived, delivered

BROKEN = '{"sensor_id": "sensor-broken", "temperature_c": '


def policy_denies(lake: Lake) -> set[str]:
    """The bucket's policy denies the stream its puts."""
    faults.deny_by_bucket_policy(lake, lake.stream, "raw/iot-sensors/")
    return delivered(lake)


def key_denied(lake: Lake) -> set[str]:
    """The stream's role lost kms:GenerateDataKey."""
    faults.forbid_action(lake, lake.stream, "kms:GenerateDataKey")
    return delivered(lake)


def sent_just_now(lake: Lake) -> set[str]:
    """Nothing is wrong: messages were sent a moment ago."""
    lake.flush()
    before = delivered(lake)
    answer = lake.invoke("stream_generate", {"time": lake.now.isoformat()})
    require(not answer.error, f"the generator failed: {answer.payload}")
    return before


def nothing_yet(lake: Lake, before: set[str]) -> str:
    """What somebody sees who looks at once."""
    require(delivered(lake) == before, "the messages were delivered without any buffering")
    return "sent, and nothing new below raw/iot-sensors/"


def broken_message(lake: Lake) -> set[str]:
    """A device sends a message that breaks off."""
    before = refused(lake)
    lake.client("firehose").put_record(DeliveryStreamName=lake.stream, Record={"Data": BROKEN.encode()})
    return before


def check_broken(lake: Lake) -> set[str]:
    """Somebody took a variable from the environment of the stream's check."""
    name = lake.function("stream_validate")
    settings = lake.client("lambda").get_function_configuration(FunctionName=name, Qualifier="live")
    variables = settings["Environment"]["Variables"]
    kept = {key: value for key, value in variables.items() if key != "METRICS_NAMESPACE"}
    faults.configure(lake, name, Environment={"Variables": kept})
    return delivered(lake)


def refused(lake: Lake) -> set[str]:
    """The objects with what the stream refused."""
    return set(lake.objects("firehose-errors/"))


def kept(lake: Lake, before: Any) -> str:
    """What was refused is kept, as it was sent."""
    new = refused(lake) - before
    require(len(new) == 1, f"{len(new)} new objects below firehose-errors/")
    return f"the refused record is kept in {new.pop()}"


DRILLS = (
    Drill(
        "3a", "firehose-delivery", "the bucket's policy denies the stream", policy_denies,
        ("confirm", "apply", "verify", "firehose-freshness.confirm"), arrived,
        alarms=("firehose-delivery", "firehose-freshness"), notice_seconds=1200, waits={"verify": 180},
    ),
    Drill(
        "3b", "firehose-delivery", "the stream's role may not use the key", key_denied,
        ("confirm", "apply", "verify"), arrived, alarms=("firehose-delivery",), waits={"verify": 180},
    ),
    Drill(
        "3c", "firehose-freshness", "the stream waits for its buffer", sent_just_now,
        ("confirm", "verify"), arrived, noticed=nothing_yet, waits={"verify": 120},
    ),
    Drill(
        "3d", "firehose-refused-records", "a device sends what is no JSON", broken_message,
        ("confirm", "read"), kept, alarms=("firehose-refused-records",), waits={"confirm": 120},
    ),
    Drill(
        "3e", "stream-validate-errors", "the stream's check fails", check_broken,
        ("confirm", "apply", "redeliver", "verify"), arrived, alarms=("stream-validate-errors",),
        waits={"apply": 1800, "verify": 420},
    ),
)  # fmt: skip
