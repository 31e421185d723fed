"""Scenario 7: nothing has failed, and yet something is wrong. What only the watch sees."""

# ruff: noqa: S608 - what stands in the statements are constants of drills

import threading
import time
from datetime import timedelta
from typing import Any

from drills import faults
from drills.drill import Drill, require
from drills.lake import RUN_DEADLINE_SECONDS, Lake
from drills.weather_iot import open_meteo, stream_generate, transform
from drills.weather_iot.open_meteo import weather_record
from lake.environment.deployment import project

SCHEDULES = ("batch-ingest", "stream-generate", "transform")
FRESHNESS = (
    "raw-weather-freshness", "raw-iot-sensors-freshness", "curated-weather-freshness",
    "curated-sensor-readings-freshness", "curated-city-hours-freshness",
)  # fmt: skip
MET_SECONDS = RUN_DEADLINE_SECONDS
# So many that they are more than 5 % even when a few days of weather wait beside them.
DOUBTFUL_DAYS = 28
DOUBTFUL = "raw/weather/date=2024-03-01/by_hand.json"
DRIFTING_HOURS = 10
DRIFTING = "raw/weather/date=2024-04-01/by_hand.json"


def paused(lake: Lake) -> set[str]:
    """Somebody paused all schedules for some work, and forgot them."""
    for name in SCHEDULES:
        faults.switch_schedule(lake, f"{project()}-{name}-dev", "DISABLED")
    open_meteo.new_weather(lake)
    return stream_generate.delivered(lake)


def watch_paused(lake: Lake) -> None:
    """Somebody paused the schedule of the watch."""
    faults.switch_schedule(lake, lake.names["watch"], "DISABLED")


def watch_denied(lake: Lake) -> None:
    """The watch may not read the ledger."""
    faults.forbid_action(lake, lake.names["watch"], "dynamodb:GetItem")


def throttled(lake: Lake) -> set[str]:
    """Somebody took all concurrency from both producers, to save money."""
    for name in ("batch_ingest", "stream_generate"):
        lake.client("lambda").put_function_concurrency(FunctionName=lake.function(name), ReservedConcurrentExecutions=0)
        lake.send_event(name, {})
    return stream_generate.delivered(lake)


def slow(lake: Lake) -> set[str]:
    """Weather service and stream answer only after a while, in which two minutes pass."""
    before = stream_generate.delivered(lake)
    lake.break_simulator(open_meteo.SIMULATOR, {"delay_seconds": 4, "times": 1})
    lake.break_aws({"service": "firehose", "action": "PutRecordBatch", "hang": True})
    calls = [
        threading.Thread(target=lake.invoke, args=(name, {"time": lake.now.isoformat()}))
        for name in ("batch_ingest", "stream_generate")
    ]
    for call in calls:
        call.start()
    _wait_until_met(lake)
    lake.advance(110)
    lake.break_aws()
    for call in calls:
        call.join()
    return before


def _wait_until_met(lake: Lake) -> None:
    """Wait until both functions hang."""
    deadline = time.monotonic() + MET_SECONDS
    while lake.simulator_faults(open_meteo.SIMULATOR) or any(not fault["hits"] for fault in lake.faults()):
        require(time.monotonic() < deadline, f"the functions did not meet the faults within {MET_SECONDS} s")
        time.sleep(0.05)


def doubtful(lake: Lake) -> int:
    """A file in which every sixth record is wrong: less than the contract tolerates."""
    hours = [
        weather_record("Nuuk", f"2024-03-{day:02d}T{hour:02d}:00", 999 if hour % 6 == 0 else -5)
        for day in range(1, DOUBTFUL_DAYS + 1)
        for hour in range(24)
    ]
    lake.put(DOUBTFUL, *hours)
    lake.run_job()
    return DOUBTFUL_DAYS * 4


def kept(lake: Lake, number: Any) -> str:
    """The doubtful records are in quarantine with their reason; the good ones in curated."""
    found = _number(lake, f"SELECT count(*) FROM quarantine_curated_weather WHERE source_object = '{DOUBTFUL}'")
    require(found == number, f"{found} of {number} wrong records of {DOUBTFUL} are in quarantine")
    good = _number(lake, f"SELECT count(*) FROM curated_weather WHERE source_object = '{DOUBTFUL}'")
    require(good == number * 5, f"{good} good records of {DOUBTFUL} are in curated")
    return f"{number} records in quarantine with their reason, {good} in curated"


def drifting(lake: Lake) -> int:
    """A producer sends a field that the contract does not have."""
    hours = [weather_record("Nuuk", f"2024-04-01T{hour:02d}:00", -5) for hour in range(DRIFTING_HOURS)]
    lake.put(DRIFTING, *({**hour, "pressure_hpa": 1013} for hour in hours))
    lake.run_job()
    return DRIFTING_HOURS


def drift_counted(lake: Lake, number: Any) -> str:
    """The records are curated, and the run has named the field."""
    found = _number(lake, f"SELECT count(*) FROM curated_weather WHERE source_object = '{DRIFTING}'")
    require(found == number, f"{found} of {number} records of {DRIFTING} are in curated")
    named = lake.query(
        "SELECT element_at(drift, 'added:pressure_hpa') FROM pipeline_runs WHERE dataset = 'curated_weather' "
        "ORDER BY started_at DESC LIMIT 1"
    )[0][0]
    require(named == str(number), f"the run has counted {named} records with the new field instead of {number}")
    return f"{number} records in curated, and pipeline_runs names the field that is new in them"


def _number(lake: Lake, sql: str) -> int:
    return int(lake.query(sql)[0][0] or 0)


def losing(lake: Lake) -> int:
    """Somebody changed the script in S3; now it loses every reading above 0 degrees Celsius."""
    transform.send(lake)
    faults.edit_script(
        lake,
        "def main(",
        "from lake.records import validation\n_judged = validation.judged\n\n\ndef _lose(rows, *rest):\n"
        "    return _judged(rows.where('temperature_c <= 0'), *rest)\n\n\nvalidation.judged = _lose\n\n\ndef main(",
    )
    return transform.fail(lake)


def key_disabled(lake: Lake) -> set[str]:
    """Somebody disabled the lake's key."""
    before = stream_generate.delivered(lake)
    lake.client("kms").disable_key(KeyId=key(lake))
    return before


def key(lake: Lake) -> str:
    """The id of the lake's key."""
    return str(lake.client("kms").describe_key(KeyId=lake.names["key_alias"])["KeyMetadata"]["KeyId"])


def key_works(lake: Lake, before: Any) -> str:
    """The key is enabled, and messages arrive."""
    state = lake.client("kms").describe_key(KeyId=lake.names["key_alias"])["KeyMetadata"]["KeyState"]
    require(state == "Enabled", f"the key is {state}")
    return f"the key is {state}; {stream_generate.arrived(lake, before)}"


def stale_lock(lake: Lake) -> int:
    """A run took a dataset, for a whole day, and is gone."""
    transform.send(lake)
    now = lake.now
    lake.client("dynamodb").update_item(
        TableName=lake.names["ledger"],
        Key={"pk": {"S": "dataset#curated_sensor_readings"}, "sk": {"S": "lock"}},
        UpdateExpression="SET #owner = :owner, lease_until = :until, locked_at = :since",
        ExpressionAttributeNames={"#owner": "owner"},
        ExpressionAttributeValues={
            ":owner": {"S": "a-run-that-is-gone"},
            ":until": {"S": (now + timedelta(days=1)).isoformat()},
            ":since": {"S": (now - timedelta(hours=2)).isoformat()},
        },
    )
    return transform.rows(lake)


def dead_letter(lake: Lake) -> set[str]:
    """A message that no retry could help: the generator failed three times."""
    lake.send_event("stream_generate", {"time": "yesterday"})
    return stream_generate.delivered(lake)


def unsubscribed(lake: Lake) -> None:
    """Somebody clicked on the link at the end of a mail."""
    client = lake.client("sns")
    (found,) = client.list_subscriptions_by_topic(TopicArn=lake.names["alerts"])["Subscriptions"]
    client.unsubscribe(SubscriptionArn=found["SubscriptionArn"])


def heard(lake: Lake, _found: Any) -> str:
    """The first address is subscribed; while it was not, the second one was told."""
    (found,) = lake.client("sns").list_subscriptions_by_topic(TopicArn=lake.names["alerts"])["Subscriptions"]
    told = {mail["to"] for mail in lake.mail() if "alerts-unheard" in mail["subject"] and "ALARM" in mail["subject"]}
    require(found["Endpoint"] not in told and len(told) == 1, f"{told} were told that nobody listens")
    return f"{found['Endpoint']} receives alarms again; {told.pop()} was told that it did not"


def queue_empty(lake: Lake, _found: Any) -> str:
    """The queue of dead letters is empty."""
    attributes = lake.client("sqs").get_queue_attributes(
        QueueUrl=lake.names["dead_letters"], AttributeNames=["ApproximateNumberOfMessages"]
    )["Attributes"]
    require(attributes["ApproximateNumberOfMessages"] == "0", f"the queue holds {attributes}")
    return "the queue is empty"


def watched(lake: Lake, _found: Any) -> str:
    """The watch has put its heartbeat within the last ten minutes."""
    points = lake.client("cloudwatch").get_metric_statistics(
        Namespace=project(), MetricName="Heartbeat", Statistics=["Sum"], Period=60,
        Dimensions=[{"Name": "Environment", "Value": "dev"}],
        StartTime=lake.now - timedelta(minutes=10), EndTime=lake.now,
    )["Datapoints"]  # fmt: skip
    require(bool(points), "no heartbeat in ten minutes")
    return f"{len(points)} heartbeats in ten minutes"


def paused_no_more(lake: Lake, before: Any) -> str:
    """Messages arrive, and all schedules are on."""
    states = {
        name: lake.client("scheduler").get_schedule(Name=f"{project()}-{name}-dev")["State"] for name in SCHEDULES
    }
    require(set(states.values()) == {"ENABLED"}, f"schedules: {states}")
    return f"all schedules are on; {stream_generate.arrived(lake, before)}"


DRILLS = (
    Drill(
        "7a", "raw-weather-freshness", "somebody paused the schedules", paused,
        ("confirm", "raw-iot-sensors-freshness.confirm", "curated-weather-freshness.confirm",
         "curated-sensor-readings-freshness.confirm", "curated-city-hours-freshness.confirm", "apply",
         "batch-ingest-errors.invoke", "stream-generate-errors.invoke", "glue-transform-failures.run",
         "glue-transform-failures.verify"),
        paused_no_more, alarms=FRESHNESS, notice_seconds=30 * 3600,
        waits={"glue-transform-failures.run": 120},
    ),
    Drill(
        "7b", "watch-heartbeat", "somebody paused the watch", watch_paused, ("confirm", "apply", "verify"), watched,
        alarms=("watch-heartbeat",), notice_seconds=1800, waits={"verify": 360},
    ),
    Drill(
        "7c", "watch-errors", "the watch may not read the ledger", watch_denied, ("confirm", "apply", "verify"),
        watched, alarms=("watch-errors",), waits={"verify": 360},
    ),
    Drill(
        "7d", "batch-ingest-throttles", "somebody took all concurrency away", throttled,
        ("confirm", "apply", "batch-ingest-errors.invoke", "stream-generate-throttles.confirm",
         "stream-generate-errors.invoke"),
        stream_generate.arrived, alarms=("batch-ingest-throttles", "stream-generate-throttles"),
        waits={"proof": 120},
    ),
    Drill(
        "7e", "batch-ingest-duration", "those that are asked answer late", slow,
        ("confirm", "stream-generate-duration.confirm"), stream_generate.arrived,
        alarms=("batch-ingest-duration", "stream-generate-duration"), waits={"proof": 120},
    ),
    Drill(
        "7f", "quarantine-ratio", "more broken records than usual", doubtful, ("confirm",), kept,
        alarms=("quarantine-ratio",),
    ),
    Drill(
        "7g", "reconciliation", "the job loses records", losing,
        ("confirm", "apply", "glue-transform-failures.run", "glue-transform-failures.verify"), transform.refreshed,
        alarms=("reconciliation", "glue-transform-failures"),
    ),
    Drill(
        "7h", "key-unusable", "somebody disabled the key", key_disabled, ("confirm", "enable", "verify"), key_works,
        alarms=("key-unusable",), waits={"verify": 420},
    ),
    Drill(
        "7i", "lock-age", "a run that is gone holds a dataset", stale_lock,
        ("confirm", "release", "glue-transform-failures.run", "glue-transform-failures.verify"), transform.refreshed,
        alarms=("lock-age",), reads={"DATASET": r"(dataset#\w+)"},
    ),
    Drill(
        "7j", "dead-letters", "a message that no retry could help", dead_letter, ("confirm", "remove"), queue_empty,
        alarms=("dead-letters", "stream-generate-errors"), notice_seconds=900,
    ),
    Drill(
        "7l", "alerts-unheard", "the only address unsubscribed", unsubscribed, ("confirm", "apply", "verify"), heard,
        alarms=("alerts-unheard",), unheard=True,
    ),
    Drill(
        "7k", "schema-drift", "a producer sends a new field", drifting, ("confirm",), drift_counted,
        alarms=("schema-drift",),
    ),
)  # fmt: skip
