"""Scenario 2: the stream generator fails."""

from typing import Any

from drills import faults
from drills.drill import Drill, require
from drills.lake import Lake

SECTION, ALARM = "stream-generate-errors", "stream-generate-errors"


def stream_denied(lake: Lake) -> set[str]:
    """The role lost firehose:PutRecordBatch; the schedule goes on."""
    faults.forbid_action(lake, lake.function("stream_generate"), "firehose:PutRecordBatch")
    return delivered(lake)


def stream_deleted(lake: Lake) -> set[str]:
    """Somebody deleted the delivery stream; what it held had been delivered."""
    lake.flush()
    lake.client("firehose").delete_delivery_stream(DeliveryStreamName=lake.stream)
    return delivered(lake)


def delivered(lake: Lake) -> set[str]:
    """The objects that the stream has delivered."""
    return set(lake.objects("raw/iot-sensors/"))


def arrived(lake: Lake, before: Any) -> str:
    """New messages have reached raw."""
    new = delivered(lake) - before
    require(bool(new), "no new object below raw/iot-sensors/")
    return f"{len(new)} new object(s) below raw/iot-sensors/"


DRILLS = (
    Drill(
        "2a", SECTION, "the role may not put records", stream_denied, ("confirm", "apply", "invoke", "verify"), arrived,
        alarms=(ALARM,), waits={"verify": 120},
    ),
    Drill(
        "2b", SECTION, "the delivery stream was deleted", stream_deleted, ("confirm", "apply", "invoke", "verify"),
        arrived, alarms=(ALARM,), waits={"verify": 120},
    ),
)  # fmt: skip
