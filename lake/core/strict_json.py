"""JSON that can be read in one way only.

Python's own reader keeps the last of two equal names without a word, takes NaN and Infinity, which JSON does not have,
and its limit of depth is that of its caller.
"""

import json
import re
from typing import Any

MAXIMUM_DEPTH = 64
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*+"?|([\[{])|([\]}])')


class NotStrict(ValueError):
    """The text is not JSON in this sense; the argument is one word for why."""


def loads(text: bytes) -> Any:
    """Return the value that UTF-8 text holds.

    Raises NotStrict with ``encoding``, ``depth``, ``not_finite``, ``duplicate_key`` or ``malformed``.
    """
    try:
        letters = text.decode("utf-8")
        if _depth(text) > MAXIMUM_DEPTH:
            raise NotStrict("depth")
        return json.loads(letters, object_pairs_hook=_object, parse_constant=_no_constant)
    except NotStrict:
        raise
    except UnicodeDecodeError as error:
        raise NotStrict("encoding") from error
    except ValueError as error:
        raise NotStrict("malformed") from error


def _depth(text: bytes) -> int:
    """Return the nesting depth of a text."""
    if text.count(b"[") + text.count(b"{") <= MAXIMUM_DEPTH:
        return 1
    depth = deepest = 0
    for bracket in _BRACKETS.finditer(text):
        depth += bool(bracket[1]) - bool(bracket[2])
        deepest = max(deepest, depth)
    return deepest


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        raise NotStrict("duplicate_key")
    return record


def _no_constant(_token: str) -> None:
    raise NotStrict("not_finite")
