"""Filter patterns of CloudWatch Logs.

AWS: terms are case-sensitive, `?` before a term makes it one of several, `-` forbids it; `{ $.field = "value" }` looks
into events that are JSON. MiniStack: ignores case, and takes every event for a match of a pattern of fields.
Added: both kinds. An error answer: patterns for space-delimited events, regular expressions, IS, EXISTS, parentheses.
Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html.
"""

import fnmatch
import json
import operator
import re
from collections.abc import Callable
from typing import Any

from ministack.services import cloudwatch_logs

from localaws.core.patching import replace

Matches = Callable[[str], bool]
_TERM = re.compile(r'([?-]?)("(?:[^"\\]|\\.)*"|[^\s"]+)')
_CONDITION = re.compile(r'\$\.([\w.]+)\s*(!=|>=|<=|=|>|<)\s*("(?:[^"\\]|\\.)*"|[\w.*:/-]+)')
_NUMBERS = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}


class UnsupportedPattern(ValueError):
    """A pattern that AWS may know and localaws does not."""


def install() -> None:
    """Judge events as AWS does."""
    replace(cloudwatch_logs, "_compile_filter_pattern", compiled)


def compiled(pattern: str | None) -> Matches:
    """Return what tells whether a message matches; raises UnsupportedPattern."""
    text = (pattern or "").strip()
    if text.startswith("{") and text.endswith("}"):
        return _of_fields(text[1:-1])
    if text.startswith(("[", "%")):
        raise UnsupportedPattern(f"localaws does not know filter patterns like {text}")
    return _of_terms(text)


def _of_terms(text: str) -> Matches:
    found = [(sign, term.strip('"')) for sign, term in _TERM.findall(text)]
    required = [term for sign, term in found if not sign]
    forbidden = [term for sign, term in found if sign == "-"]
    optional = [term for sign, term in found if sign == "?"]

    def matches(message: str) -> bool:
        if not required and optional and not any(term in message for term in optional):
            return False
        return all(term in message for term in required) and not any(term in message for term in forbidden)

    return matches


def _of_fields(text: str) -> Matches:
    """Alternatives of conditions that all have to hold: && binds stronger than ||."""
    alternatives = [[_condition(part) for part in one.split("&&")] for one in text.split("||")]

    def matches(message: str) -> bool:
        try:
            event = json.loads(message)
        except ValueError:
            return False
        return any(all(holds(event) for holds in conditions) for conditions in alternatives)

    return matches


def _condition(text: str) -> Callable[[Any], bool]:
    parsed = _CONDITION.fullmatch(text.strip())
    if parsed is None:
        raise UnsupportedPattern(f"localaws does not know filter patterns like {text.strip()}")
    path, sign, wanted = parsed[1].split("."), parsed[2], parsed[3].strip('"')
    if sign in _NUMBERS:
        return lambda event: (
            isinstance(_field(event, path), int | float) and bool(_NUMBERS[sign](_field(event, path), float(wanted)))
        )
    return lambda event: _same(_field(event, path), wanted) == (sign == "=")


def _field(event: Any, path: list[str]) -> Any:
    for name in path:
        event = event.get(name) if isinstance(event, dict) else None
    return event


def _same(found: Any, wanted: str) -> bool:
    if isinstance(found, int | float) and not isinstance(found, bool):
        return re.fullmatch(r"-?[\d.]+", wanted) is not None and found == float(wanted)
    return isinstance(found, str) and fnmatch.fnmatchcase(found, wanted)
