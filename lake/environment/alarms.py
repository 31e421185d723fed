"""Read the CloudWatch alarms of an environment and their state changes."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lake.environment import inventory
from lake.environment.deployment import Platform

# Between what an alarm means and the link to its section; Terraform's module `alarm` writes it.
_WHAT_TO_DO = " What to do: "
_LINK = re.compile(r"[\w./-]+\.md#[\w-]+")


def page(pipeline: str | None) -> str:
    """Return the path of a pipeline's page of the runbook, of the platform's for None, from the repository's top."""
    return "RUNBOOK.md" if pipeline is None else f"docs/runbooks/{pipeline}.md"


@dataclass(frozen=True)
class Alarm:
    """One alarm; ``link`` leads to its section of the runbook, ``threshold`` is the value that it compares with.

    A link is a path from the top of the repository with the section behind ``#``, empty if there is none.
    """

    name: str
    link: str
    state: str
    since: datetime
    reason: str
    description: str
    threshold: float

    @property
    def section(self) -> str:
        """Return the name of its section of the runbook, empty if there is none."""
        return self.link.partition("#")[2]

    @property
    def meaning(self) -> str:
        """Return the description without the link to the runbook."""
        return self.description.partition(_WHAT_TO_DO)[0]


@dataclass(frozen=True)
class Change:
    """One state change of an alarm, at the moment ``at`` (UTC)."""

    alarm: str
    at: datetime
    before: str
    after: str
    reason: str


def current(platform: Platform) -> list[Alarm]:
    """Return the alarms of the environment, those in ALARM first."""
    pages = (
        platform.client("cloudwatch")
        .get_paginator("describe_alarms")
        .paginate(AlarmNamePrefix=inventory.prefix(platform))
    )
    found = [
        _alarm(alarm)
        for page in pages
        for alarm in page["MetricAlarms"]
        if inventory.ours(platform, alarm["AlarmName"])
    ]
    order = ("ALARM", "INSUFFICIENT_DATA", "OK")
    return sorted(found, key=lambda alarm: (order.index(alarm.state), alarm.name))


def changes(platform: Platform, since: datetime) -> list[Change]:
    """Return the state changes of the environment's alarms after ``since`` (UTC), newest first."""
    # Of the history AWS filters by one alarm or by none.
    pages = platform.client("cloudwatch").get_paginator("describe_alarm_history")
    items = pages.paginate(HistoryItemType="StateUpdate", StartDate=since)
    found = [
        _change(item)
        for page in items
        for item in page["AlarmHistoryItems"]
        if inventory.ours(platform, item["AlarmName"])
    ]
    real = [change for change in found if change.before != change.after]
    return sorted(real, key=lambda change: change.at, reverse=True)


def _alarm(found: Mapping[str, Any]) -> Alarm:
    description = found.get("AlarmDescription", "")
    link = description.partition(_WHAT_TO_DO)[2]
    link = link if _LINK.fullmatch(link) else ""
    since = found["StateUpdatedTimestamp"].astimezone(UTC)
    said = (found.get("StateReason", ""), description)
    return Alarm(found["AlarmName"], link, found["StateValue"], since, *said, found["Threshold"])


def _change(item: Mapping[str, Any]) -> Change:
    data = json.loads(item["HistoryData"])
    before, after = data["oldState"]["stateValue"], data["newState"]["stateValue"]
    return Change(
        item["AlarmName"], item["Timestamp"].astimezone(UTC), before, after, data["newState"].get("stateReason", "")
    )
