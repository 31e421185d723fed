"""CloudWatch dashboards.

AWS: refuses a body that is not a dashboard, and says where. MiniStack: stores any text. Added: the check of what a
widget must have. Not checked: whether a widget's metrics exist, which AWS does not ask either.
"""

import json
from collections.abc import Iterator
from typing import Any

from ministack.services import cloudwatch

from localaws.core.patching import wrap

WIDGETS = ("alarm", "custom", "explorer", "log", "metric", "text")
COLUMNS = 24
NEEDED = {"metric": "region", "log": "region", "text": "markdown", "alarm": "alarms"}


def install() -> None:
    """Look at a dashboard before it is stored."""
    wrap(cloudwatch, "_put_dashboard", _put)


def _put(original: Any, params: Any, asked: dict[str, Any], is_cbor: bool, is_json: bool = False) -> Any:
    problems = [{"dataPath": path, "message": text} for path, text in _problems(asked.get("DashboardBody", ""))]
    if problems:
        message = f"The dashboard body is invalid, there are {len(problems)} validation errors: {json.dumps(problems)}"
        return cloudwatch._error("InvalidParameterInput", message, 400, use_json=is_json, use_cbor=is_cbor)
    return original(params, asked, is_cbor, is_json)


def _problems(body: str) -> Iterator[tuple[str, str]]:
    try:
        dashboard = json.loads(body)
    except ValueError:
        yield "", "The field DashboardBody must be a valid JSON object"
        return
    if not isinstance(dashboard, dict) or not isinstance(dashboard.get("widgets"), list):
        yield "", "Should have required property 'widgets'"
        return
    for number, widget in enumerate(dashboard["widgets"]):
        yield from ((f"/widgets/{number}{path}", text) for path, text in _problems_of(widget))


def _problems_of(widget: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(widget, dict) or widget.get("type") not in WIDGETS:
        yield "/type", f"Should be one of {', '.join(WIDGETS)}"
        return
    properties, needed = widget.get("properties"), NEEDED.get(widget["type"])
    if not isinstance(properties, dict):
        yield "", "Should have required property 'properties'"
    elif needed and needed not in properties:
        yield "/properties", f"Should have required property '{needed}'"
    if widget.get("x", 0) + widget.get("width", 6) > COLUMNS:
        yield "/width", f"Should end within {COLUMNS} columns"
