"""Terraform's second plan is empty.

AWS: what was set is read back, with the service's defaults for what was not. MiniStack: drops some fields on the
way in or out, so that Terraform wants to set them again for ever. Added: those fields, for the resources this
project uses.
"""

import datetime
import json
from typing import Any
from xml.sax.saxutils import escape

from localaws.patching import replace

JOB_FIELDS = (
    "ExecutionProperty",
    "ExecutionClass",
    "NotificationProperty",
    "JobMode",
    "MaintenanceWindow",
    "JobRunQueuingEnabled",
)
ALARM_FIELDS = ("InsufficientDataActions", "EvaluateLowSampleCountPercentile", "ThresholdMetricId", "AlarmDescription")


def install() -> None:
    """Mend alarms (Query protocol), Glue jobs, Firehose streams and the versions of secrets."""
    from ministack.services import cloudwatch, firehose, glue, secretsmanager

    replace(cloudwatch, "_put_metric_alarm", _keep_alarm_fields)
    replace(cloudwatch, "_describe_alarms", _describe_alarms_in_full)
    replace(
        glue, "_create_job", lambda original: _keep_job_fields(original, lambda data: data, lambda data: data["Name"])
    )
    replace(
        glue,
        "_update_job",
        lambda original: _keep_job_fields(original, lambda data: data["JobUpdate"], lambda data: data["JobName"]),
    )
    replace(firehose, "_dest_description", _describe_destination_in_full)
    replace(secretsmanager, "_create_secret", _create_without_empty_version)
    replace(secretsmanager, "_put_secret_value", _keep_all_stages)


def unflatten(params: dict[str, Any]) -> dict[str, Any]:
    """What Query-protocol parameters mean: `Dimensions.member.1.Name=x` is {"Dimensions": [{"Name": "x"}]}."""
    root: dict[str, Any] = {}
    for name, value in params.items():
        if name in ("Action", "Version"):
            continue
        place = root
        *folders, last = [part for part in name.split(".") if part != "member"]
        for folder in folders:
            place = place.setdefault(folder, {})
        place[last] = value[0] if isinstance(value, list) else value
    return {name: _with_lists(value) for name, value in root.items()}


def _with_lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(key.isdigit() for key in value):
        return [_with_lists(value[key]) for key in sorted(value, key=int)]
    return {key: _with_lists(entry) for key, entry in value.items()}


def _keep_alarm_fields(original: Any) -> Any:
    from ministack.services import cloudwatch

    def put_metric_alarm(params: Any, cbor_data: Any, is_cbor: bool, is_json: bool = False) -> Any:
        answer = original(params, cbor_data, is_cbor, is_json)
        asked = cbor_data if is_cbor or is_json else unflatten(params)
        if answer[0] < 300:
            alarm = cloudwatch._alarms[asked["AlarmName"]]
            alarm.update({field: asked[field] for field in ALARM_FIELDS if field in asked})
        return answer

    return put_metric_alarm


def _describe_alarms_in_full(original: Any) -> Any:
    from ministack.services import cloudwatch

    def describe_alarms(params: Any, cbor_data: Any, is_cbor: bool, is_json: bool = False) -> Any:
        if is_cbor or is_json:
            return original(params, cbor_data, is_cbor, is_json)
        status, _, body = original({}, unflatten(params), False, True)
        if status >= 300:
            return original(params, cbor_data, is_cbor, is_json)
        return cloudwatch._xml(200, "DescribeAlarmsResponse", _xml("DescribeAlarmsResult", json.loads(body)))

    return describe_alarms


def _xml(tag: str, value: Any) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, list):
        return f"<{tag}>" + "".join(_xml("member", entry) or "<member/>" for entry in value) + f"</{tag}>"
    if isinstance(value, dict):
        return f"<{tag}>" + "".join(_xml(key, entry) for key, entry in value.items()) + f"</{tag}>"
    if isinstance(value, bool):
        value = str(value).lower()
    if tag.endswith("Timestamp") and isinstance(value, int | float):
        value = datetime.datetime.fromtimestamp(value, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"<{tag}>{escape(str(value))}</{tag}>"


def _keep_job_fields(original: Any, fields_of: Any, name_of: Any) -> Any:
    from ministack.services import glue

    def create_or_update(data: Any) -> Any:
        answer = original(data)
        if answer[0] < 300:
            job = glue._jobs[name_of(data)]
            job.update({field: fields_of(data)[field] for field in JOB_FIELDS if field in fields_of(data)})
            if data.get("Tags"):
                glue._tags[glue._arn("job", data["Name"])] = dict(data["Tags"])
        return answer

    return create_or_update


def _describe_destination_in_full(original: Any) -> Any:
    def dest_description(dest: Any) -> Any:
        description = original(dest)
        s3 = description.get("ExtendedS3DestinationDescription")
        if s3 is not None:
            s3["CustomTimeZone"] = dest["config"].get("CustomTimeZone", "UTC")
            if "FileExtension" in dest["config"]:
                s3["FileExtension"] = dest["config"]["FileExtension"]
        return description

    return dest_description


def _create_without_empty_version(original: Any) -> Any:
    from ministack.core.responses import json_response
    from ministack.services import secretsmanager

    def create_secret(data: Any) -> Any:
        answer = original(data)
        if answer[0] >= 300 or "SecretString" in data or "SecretBinary" in data:
            return answer
        secretsmanager._secrets[data["Name"]]["Versions"].clear()
        return json_response({name: value for name, value in json.loads(answer[2]).items() if name != "VersionId"})

    return create_secret


def _keep_all_stages(original: Any) -> Any:
    from ministack.core.responses import json_response
    from ministack.services import secretsmanager

    def put_secret_value(data: Any) -> Any:
        answer = original(data)
        stages = data.get("VersionStages") or []
        if answer[0] >= 300 or "AWSCURRENT" not in stages:
            return answer
        body = json.loads(answer[2])
        versions = secretsmanager._resolve(data["SecretId"])[1]["Versions"]
        for stage in [stage for stage in stages if stage != "AWSCURRENT"]:
            for version in versions.values():
                version["Stages"] = [other for other in version["Stages"] if other != stage]
            versions[body["VersionId"]]["Stages"].append(stage)
        return json_response({**body, "VersionStages": versions[body["VersionId"]]["Stages"]})

    return put_secret_value
