"""The alarms of one environment, and how they have changed."""

import json
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

from lake.environment import alarms
from lake.environment.deployment import Platform

# What an SDK gives on a machine in Melbourne.
MOMENT = datetime(2026, 11, 21, 23, tzinfo=timezone(timedelta(hours=11)))


def answering(operation: str, pages: list[dict[str, Any]]) -> Platform:
    """A platform whose CloudWatch gives these pages, of alarms only to who asks for the project's."""

    def paginate(AlarmNamePrefix: str = "", **_more: Any) -> list[dict[str, Any]]:  # noqa: N803 - as boto3 has it
        assert AlarmNamePrefix == ("aws-datalake-platform-" if operation == "describe_alarms" else "")
        return pages

    paginators = {operation: SimpleNamespace(paginate=paginate)}
    client = SimpleNamespace(get_paginator=paginators.__getitem__)
    return Platform("dev", {"project": "aws-datalake-platform"}, SimpleNamespace(client=lambda _service: client))


def entry(name: str, state: str) -> dict[str, Any]:
    return {
        "AlarmName": name, "StateValue": state, "StateUpdatedTimestamp": MOMENT, "Threshold": 5.0,
        "AlarmDescription": "Data is old. What to do: RUNBOOK.md#lock-age",
    }  # fmt: skip


def test_the_alarms_of_this_environment_come_with_those_first_that_ring() -> None:
    names = [("a", "OK"), ("b", "INSUFFICIENT_DATA"), ("c", "ALARM")]
    ours = [entry(f"aws-datalake-platform-{short}-dev", state) for short, state in names]
    others = [entry("aws-datalake-platform-c-prod", "ALARM")]
    found = alarms.current(answering("describe_alarms", [{"MetricAlarms": ours}, {"MetricAlarms": others}]))
    assert [alarm.name[-5:] for alarm in found] == ["c-dev", "b-dev", "a-dev"]


def test_an_alarm_says_what_it_means_where_to_look_and_since_when_in_utc() -> None:
    platform = answering("describe_alarms", [{"MetricAlarms": [entry("aws-datalake-platform-a-dev", "OK")]}])
    (alarm,) = alarms.current(platform)
    assert (alarm.meaning, alarm.link, alarm.section) == ("Data is old.", "RUNBOOK.md#lock-age", "lock-age")
    assert f"{alarm.since:%Y-%m-%d %H:%M}" == "2026-11-21 12:00"


def test_what_is_no_link_to_a_page_of_the_runbook_is_none() -> None:
    by_hand = {**entry("aws-datalake-platform-a-dev", "OK"), "AlarmDescription": "Old. What to do: javascript:alert(1)"}
    (alarm,) = alarms.current(answering("describe_alarms", [{"MetricAlarms": [by_hand]}]))
    assert (alarm.meaning, alarm.link, alarm.section) == ("Old.", "", "")


def change(name: str, before: str, after: str, hours: int) -> dict[str, Any]:
    states = {"oldState": {"stateValue": before}, "newState": {"stateValue": after, "stateReason": "why"}}
    return {"AlarmName": name, "Timestamp": MOMENT + timedelta(hours=hours), "HistoryData": json.dumps(states)}


def test_changes_are_of_this_environment_newest_first_and_real() -> None:
    name = "aws-datalake-platform-a-dev"
    items = [
        change(name, "OK", "ALARM", 1),
        change(name, "ALARM", "OK", 2),
        change(name, "INSUFFICIENT_DATA", "INSUFFICIENT_DATA", 0),
        change("aws-datalake-platform-a-prod", "OK", "ALARM", 3),
    ]
    found = alarms.changes(answering("describe_alarm_history", [{"AlarmHistoryItems": items}]), MOMENT)
    assert [(one.before, one.after, one.reason, f"{one.at:%H:%M}") for one in found] == [
        ("ALARM", "OK", "why", "14:00"), ("OK", "ALARM", "why", "13:00"),
    ]  # fmt: skip
