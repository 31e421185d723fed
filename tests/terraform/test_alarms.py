"""Alarms: each on a metric that has data, each heard of both ways, each with a section in the runbook."""

import json
from typing import Any

import pytest

from drills import catalogue as drills
from drills import runbook
from lake.environment.alarms import page
from scripts import roots
from tests.drills.test_runbook import WITHOUT_ALARM
from tests.metric_catalogue import catalogue, metric
from tests.terraform.conftest import Resources

RUNBOOK = runbook.load()
ABOVE, BELOW = "GreaterThanThreshold", "LessThanThreshold"
# Short name => metric, statistic, comparison, threshold.
ALARMS = {
    "alerts-unheard": ("AlertSubscriptions", "Minimum", BELOW, 1),
    "batch-ingest-errors": ("Errors", "Sum", ABOVE, 0),
    "batch-ingest-duration": ("Duration", "Maximum", ABOVE, 96_000),
    "batch-ingest-throttles": ("Throttles", "Sum", ABOVE, 0),
    "stream-generate-errors": ("Errors", "Sum", ABOVE, 0),
    "stream-generate-duration": ("Duration", "Maximum", ABOVE, 96_000),
    "stream-generate-throttles": ("Throttles", "Sum", ABOVE, 0),
    "stream-validate-errors": ("Errors", "Sum", ABOVE, 0),
    "firehose-refused-records": ("RecordsRefused", "Sum", ABOVE, 0),
    "firehose-freshness": ("DeliveryToS3.DataFreshness", "Maximum", ABOVE, 300),
    "firehose-delivery": ("DeliveryToS3.Success", "Average", BELOW, 1),
    "glue-erase-failures": ("TriggeredRules", "Sum", ABOVE, 0),
    "glue-transform-failures": ("TriggeredRules", "Sum", ABOVE, 0),
    "raw-weather-freshness": ("Freshness", "Maximum", ABOVE, 26 * 3600),
    "raw-iot-sensors-freshness": ("Freshness", "Maximum", ABOVE, 15 * 60),
    "curated-weather-freshness": ("Freshness", "Maximum", ABOVE, 2 * 3600),
    "curated-sensor-readings-freshness": ("Freshness", "Maximum", ABOVE, 2 * 3600),
    "curated-city-hours-freshness": ("Freshness", "Maximum", ABOVE, 2 * 3600),
    "quarantine-ratio": ("QuarantineRatio", "Maximum", ABOVE, 0.05),
    "schema-drift": ("SchemaDrift", "Maximum", ABOVE, 0),
    "reconciliation": ("RecordsUnreconciled", "Maximum", ABOVE, 0),
    "dead-letters": ("ApproximateNumberOfMessagesVisible", "Maximum", ABOVE, 0),
    "key-unusable": ("KeysUnusable", "Maximum", ABOVE, 0),
    "protection-changed": ("TriggeredRules", "Sum", ABOVE, 0),
    "pseudonym-key-read": ("TriggeredRules", "Sum", ABOVE, 0),
    "lock-age": ("LockAge", "Maximum", ABOVE, 7200),
    "watch-heartbeat": ("Heartbeat", "Sum", BELOW, 1),
    "watch-errors": ("Errors", "Sum", ABOVE, 0),
}


@pytest.fixture(scope="module")
def alarms(platform: Resources) -> dict[str, dict[str, Any]]:
    """Short name => values of every alarm, and its root: the pipeline, or the platform."""
    found = [
        {**values, "root": address.partition(": ")[0] if ": " in address else roots.PLATFORM}
        for address, values in platform.items()
        if values["resource_type"] == "aws_cloudwatch_metric_alarm"
    ]
    return {alarm["alarm_name"].removeprefix("lake-").removesuffix("-test"): alarm for alarm in found}


def test_a_failed_run_of_any_job_of_weather_iot_rings(first: Resources, alarms: dict[str, dict[str, Any]]) -> None:
    """Also one that somebody starts by hand: an erasure that dies at night."""
    of_kind = {
        kind: [values for values in first.values() if values["resource_type"] == kind]
        for kind in ("aws_glue_job", "aws_cloudwatch_event_rule")
    }
    patterns = {rule["name"]: json.loads(rule["event_pattern"]) for rule in of_kind["aws_cloudwatch_event_rule"]}
    watched = {job: rule for rule, pattern in patterns.items() for job in pattern["detail"].get("jobName", [])}
    assert {job["name"] for job in of_kind["aws_glue_job"]} == watched.keys()
    ringing = {alarm["dimensions"].get("RuleName") for alarm in alarms.values()}
    assert set(watched.values()) <= ringing


def test_the_alarms_of_the_platform_and_of_weather_iot_are_these(alarms: dict[str, dict[str, Any]]) -> None:
    names = ("metric_name", "statistic", "comparison_operator", "threshold")
    listed = {name: alarm for name, alarm in alarms.items() if alarm["root"] in (roots.PLATFORM, "weather_iot")}
    assert {name: tuple(alarm[word] for word in names) for name, alarm in listed.items()} == ALARMS


def test_every_alarm_watches_a_metric_that_has_data(alarms: dict[str, dict[str, Any]]) -> None:
    known = catalogue("lake")
    watched = {name: metric(a["namespace"], a["metric_name"], a["dimensions"]) for name, a in alarms.items()}
    assert {name: entry for name, entry in watched.items() if entry not in known} == {}


def test_every_dimension_is_something_that_there_is(platform: Resources, alarms: dict[str, dict[str, Any]]) -> None:
    deployed = {
        values[word]
        for values in platform.values()
        for word in ("name", "function_name")
        if isinstance(values.get(word), str)
    }
    ours = {"test", *roots.pipelines()}
    named = {value for alarm in alarms.values() for value in alarm["dimensions"].values()}
    assert named - deployed - ours == set()


def test_every_alarm_tells_the_topic_when_it_fires_and_when_it_is_over(
    platform: Resources, alarms: dict[str, dict[str, Any]]
) -> None:
    topic = [platform["aws_sns_topic.alerts"]["arn"]]
    assert {name for name, a in alarms.items() if not a["alarm_actions"] == a["ok_actions"] == topic} == set()


def test_every_alarm_has_a_section_on_the_page_of_its_root_and_every_section_an_alarm(
    alarms: dict[str, dict[str, Any]],
) -> None:
    told = [section for section in RUNBOOK.sections.values() if not section.text.lstrip().startswith(WITHOUT_ALARM)]
    assert len(told) > 20
    assert {section.name: section.page for section in told} == {
        name: page(None if alarm["root"] == roots.PLATFORM else alarm["root"]) for name, alarm in alarms.items()
    }


def test_every_alarm_leads_to_its_section_of_the_runbook(alarms: dict[str, dict[str, Any]]) -> None:
    ends = {name: f" What to do: {RUNBOOK.sections[name].link}" for name in alarms}
    assert {name for name, alarm in alarms.items() if not alarm["alarm_description"].endswith(ends[name])} == set()


def test_every_mail_about_a_run_leads_to_a_section(platform: Resources) -> None:
    targets = [values for values in platform.values() if values["resource_type"] == "aws_cloudwatch_event_target"]
    mails = [target["input_transformer"][0]["input_template"] for target in targets if target["input_transformer"]]
    links = {
        json.loads(line.partition(": ")[2]) for mail in mails for line in mail.splitlines() if "what to do" in line
    }
    assert len(links) > 0
    assert links - {section.link for section in RUNBOOK.sections.values()} == set()


def test_every_alarm_fires_in_a_drill(alarms: dict[str, dict[str, Any]]) -> None:
    assert {alarm for drill in drills.drills().values() for alarm in drill.alarms} == set(alarms)


def test_every_alarm_says_what_missing_data_means_and_only_a_heartbeat_must_not_stop(
    alarms: dict[str, dict[str, Any]],
) -> None:
    missing = {name: alarm["treat_missing_data"] for name, alarm in alarms.items()}
    assert missing.pop("watch-heartbeat") == "breaching"
    assert set(missing.values()) == {"notBreaching"}


def test_a_fault_is_seen_in_its_first_period_and_a_silence_within_a_quarter_of_an_hour(
    alarms: dict[str, dict[str, Any]],
) -> None:
    windows = {name: (alarm["period"], alarm["evaluation_periods"]) for name, alarm in alarms.items()}
    period, periods = windows.pop("watch-heartbeat")
    # CloudWatch looks at some periods more before it believes that all are missing.
    assert 5 * 60 < period * periods < period * (periods + 3) < 15 * 60
    assert set(windows.values()) == {(300, 1)}
    assert all(alarm["datapoints_to_alarm"] == alarm["evaluation_periods"] for alarm in alarms.values())
