"""CloudWatch's Query protocol.

MiniStack: reads and answers half of an alarm in the Query protocol, all of it in JSON, and escapes nothing. Superfluous
when MiniStack parses and answers the Query protocol from the same model as JSON. Installed after all services: this has
to be the outermost layer around CloudWatch's actions.
"""

import datetime
import json
from typing import Any
from xml.sax.saxutils import escape

from ministack.services import cloudwatch

from localaws.core.patching import wrap

# Functions of MiniStack whose answers in the Query protocol lack fields or are not escaped.
CLOUDWATCH_ACTIONS = """
    _put_metric_alarm _describe_alarms _describe_alarm_history _put_dashboard _get_dashboard _list_dashboards
    _delete_dashboards _get_metric_statistics _get_metric_data _list_metrics
""".split()  # noqa: SIM905 - ten short words


def install() -> None:
    """Translate the Query protocol to MiniStack's JSON and back."""
    for action in CLOUDWATCH_ACTIONS:
        wrap(cloudwatch, action, _by_query_protocol)


def unflatten(params: dict[str, Any]) -> dict[str, Any]:
    """Parse Query-protocol parameters: `Dimensions.member.1.Name=x` is {"Dimensions": [{"Name": "x"}]}."""
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
