"""Terraform's second plan is empty.

AWS: what was set is read back, with the service's defaults for what was not. MiniStack: drops some fields on the
way in or out, so that Terraform wants to set them again for ever. Added: those fields, for the resources this
project uses. Installed last: what it puts around CloudWatch's actions is to be the outermost layer.
"""

import datetime
import json
from typing import Any
from xml.sax.saxutils import escape

from ministack.core.responses import json_response
from ministack.services import cloudwatch, firehose, glue, secretsmanager

from localaws.core.patching import wrap

JOB_FIELDS = {"ExecutionProperty", "ExecutionClass", "NotificationProperty"}
JOB_FIELDS |= {"JobMode", "JobRunQueuingEnabled", "MaintenanceWindow"}

# Functions of MiniStack whose answers in the Query protocol lack fields or are not escaped.
CLOUDWATCH_ACTIONS = """
    _put_metric_alarm _describe_alarms _describe_alarm_history _put_dashboard _get_dashboard _list_dashboards
    _delete_dashboards _get_metric_statistics _get_metric_data _list_metrics
""".split()  # noqa: SIM905 - ten short words


def install() -> None:
    """Mend CloudWatch's Query protocol, Glue jobs, Firehose streams and the versions of secrets."""
    for action in CLOUDWATCH_ACTIONS:
        wrap(cloudwatch, action, _by_query_protocol)
    wrap(glue, "_create_job", _keep_job_fields)
    wrap(glue, "_update_job", _keep_job_fields)
    wrap(firehose, "_dest_description", _describe_destination_in_full)
    wrap(secretsmanager, "_create_secret", _create_without_empty_version)
    wrap(secretsmanager, "_put_secret_value", _keep_all_stages)


def unflatten(params: dict[str, Any]) -> dict[str, Any]:
    """What Query-protocol parameters mean: `Dimensions.member.1.Name=x` is {"Dimensions": [{"Name": "x"}]}."""
    root: dict[str, Any] = {}
    for name, value in params.items():
        place = root
        *folders, last = [part for part in name.split(".") if part != "member"]
        for folder in folders:
            place = place.setdefault(folder, {})
        text = value[0] if isinstance(value, list) else value
        place[last] = {"true": True, "false": False}.get(text, text)
    return {name: _with_lists(value) for name, value in root.items() if name not in ("Action", "Version")}


def _with_lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(key.isdigit() for key in value):
        return [_with_lists(value[key]) for key in sorted(value, key=int)]
    return {key: _with_lists(entry) for key, entry in value.items()}


def _by_query_protocol(original: Any, params: Any, content: Any, is_cbor: bool, is_json: bool = False) -> Any:
    """MiniStack's Query protocol knows half of an alarm, its JSON protocol knows all of it: translate."""
    if is_cbor or is_json:
        return original(params, content, is_cbor, is_json)
    status, _, body = original({}, unflatten(params), False, True)
    answer = json.loads(body or b"{}")
    if status >= 300:
        return cloudwatch._error(answer.get("__type", "ValidationError"), answer.get("message", ""), status)
    action = params["Action"][0] if isinstance(params["Action"], list) else params["Action"]
    return cloudwatch._xml(200, f"{action}Response", _xml(f"{action}Result", answer))


def _xml(tag: str, value: Any) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, list):
        entries = [_stamp(entry) for entry in value] if tag == "Timestamps" else value
        return f"<{tag}>" + "".join(_xml("member", entry) or "<member/>" for entry in entries) + f"</{tag}>"
    if tag == "ExtendedStatistics":  # the one map among the answers
        value = [{"key": key, "value": entry} for key, entry in value.items()]
        return f"<{tag}>" + "".join(_xml("entry", entry) for entry in value) + f"</{tag}>"
    if isinstance(value, dict):
        return f"<{tag}>" + "".join(_xml(key, entry) for key, entry in value.items()) + f"</{tag}>"
    if isinstance(value, bool):
        value = str(value).lower()
    if tag.endswith("Timestamp") and isinstance(value, int | float):
        value = _stamp(value)
    return f"<{tag}>{escape(str(value))}</{tag}>"


def _stamp(epoch: float) -> str:
    return datetime.datetime.fromtimestamp(epoch, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _keep_job_fields(original: Any, data: Any) -> Any:
    answer = original(data)
    if answer[0] < 300:
        name, given = data.get("JobName") or data["Name"], data.get("JobUpdate") or data
        glue._jobs[name].update({field: given[field] for field in JOB_FIELDS if field in given})
        if data.get("Tags"):
            glue._tags[glue._arn("job", name)] = dict(data["Tags"])
    return answer


def _describe_destination_in_full(original: Any, destination: Any) -> Any:
    description = original(destination)
    s3 = description.get("ExtendedS3DestinationDescription")
    if s3 is not None:
        s3["CustomTimeZone"] = destination["config"].get("CustomTimeZone", "UTC")
        if "FileExtension" in destination["config"]:
            s3["FileExtension"] = destination["config"]["FileExtension"]
    return description


def _create_without_empty_version(original: Any, data: Any) -> Any:
    answer = original(data)
    if answer[0] >= 300 or "SecretString" in data or "SecretBinary" in data:
        return answer
    secretsmanager._secrets[data["Name"]]["Versions"].clear()
    return json_response({name: value for name, value in json.loads(answer[2]).items() if name != "VersionId"})


def _keep_all_stages(original: Any, data: Any) -> Any:
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
