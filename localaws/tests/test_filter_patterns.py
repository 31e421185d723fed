import json

import pytest

from localaws.services.cloudwatch import filter_patterns
from localaws.services.cloudwatch.filter_patterns import UnsupportedPattern

REPORT = json.dumps({"type": "platform.report", "record": {"status": "timeout", "metrics": {"durationMs": 17000}}})


@pytest.mark.parametrize(
    ("pattern", "message", "matches"),
    [
        ("", "anything", True),
        ("ERROR", "an ERROR here", True),
        ("ERROR", "an error here", False),
        ("ERROR -expected", "ERROR expected", False),
        ("?WARN ?ERROR", "an ERROR here", True),
        ("?WARN ?ERROR", "INFO", False),
        ('"two words"', "these two words", True),
        ('"two words"', "two other words", False),
        ('{ $.type = "platform.report" }', REPORT, True),
        ('{ $.type = "platform.*" }', REPORT, True),
        ('{ $.type = "platform.start" }', REPORT, False),
        ('{ $.type != "platform.start" }', REPORT, True),
        ('{ $.record.status = "timeout" && $.record.metrics.durationMs > 16000 }', REPORT, True),
        ('{ $.record.status = "timeout" && $.record.metrics.durationMs > 18000 }', REPORT, False),
        ('{ $.record.status = "error" || $.record.metrics.durationMs = 17000 }', REPORT, True),
        ('{ $.type = "platform.report" }', "REPORT RequestId: 1", False),
    ],
)
def test_a_pattern_finds_what_it_finds_on_aws(pattern: str, message: str, matches: bool) -> None:
    assert filter_patterns.compiled(pattern)(message) is matches


@pytest.mark.parametrize("pattern", ["[ip, user]", "%a+%", "{ $.a IS NULL }", '{ ($.a = "b") }'])
def test_what_is_not_known_is_said(pattern: str) -> None:
    with pytest.raises(UnsupportedPattern, match="does not know"):
        filter_patterns.compiled(pattern)
