"""A table of every role's rights, from the policies that Terraform makes: build/rights.md, by `make rights`."""

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.terraform.conftest import REPOSITORY, Resources

PAGE = REPOSITORY / "build/rights.md"
_PREFIX = re.compile(r"arn:aws:[\w-]*:[\w-]*:\d*:")
# The names of the mocked deployment, and how the page calls what they stand for.
_SHORTER = {
    "lake-123456789012-eu-west-1-test-": "", "lake-": "", "-test": "", "lake_test": "lake",
    "key/00000000-0000-0000-0000-000000000000": "the lake's key",
    "key/00000000-0000-0000-0000-0000000000ee": "the privacy key",
    "key/00000000-0000-0000-0000-00000000a1e5": "the key of alarms",
    "secret:mocked": "the pseudonym key",
}  # fmt: skip
_MOCKED = {
    "arn:aws:sqs:eu-west-1:123456789012:mocked": "dead letters",
    "arn:aws:sns:eu-west-1:123456789012:mocked": "alerts",
}


def table(resources: Resources) -> Iterator[str]:
    """A row for each role: who may have it, and what it may do with what."""
    yield "| Role | Who has it | What it may do |"
    yield "|---|---|---|"
    roles = {values["name"]: values for values in resources.values() if values["resource_type"] == "aws_iam_role"}
    for name, values in sorted(roles.items()):
        may = "<br>".join(_sentences(resources, name))
        yield f"| `{_short(name)}` | {_principals(values['assume_role_policy'])} | {may} |"


def _principals(trust: str) -> str:
    named = {
        name
        for statement in json.loads(trust)["Statement"]
        for principals in statement["Principal"].values()
        for name in ([principals] if isinstance(principals, str) else principals)
    }
    return ", ".join(f"`{_short(name)}`" for name in sorted(named))


def _sentences(resources: Resources, role: str) -> Iterator[str]:
    for statement in _statements(resources, role):
        services: dict[str, list[str]] = {}
        for action in _list(statement["Action"]):
            service, _, verb = action.partition(":")
            services.setdefault(service, []).append(verb)
        actions = "; ".join(f"{service} {', '.join(verbs)}" for service, verbs in services.items())
        named = statement.get("Resource") or statement["NotResource"]
        places = ", ".join(f"`{place}`" for place in dict.fromkeys(map(_short, _list(named))))
        but = "" if "Resource" in statement else "all but "
        yield f"{'' if statement['Effect'] == 'Allow' else '**never** '}{actions}: {but}{places}"


def _statements(resources: Resources, role: str) -> Iterator[dict[str, Any]]:
    for values in resources.values():
        if values["resource_type"] == "aws_iam_role_policy" and values["role"] == role:
            yield from json.loads(values["policy"])["Statement"]


def _list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _short(name: str) -> str:
    text = _PREFIX.sub("", _MOCKED.get(name, name))
    for long, short in _SHORTER.items():
        text = text.replace(long, short)
    return text


def test_the_table_of_rights_has_a_row_for_each_role_and_names_what_it_is_about(platform: Resources) -> None:
    rows = list(table(platform))
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    roles = [values for values in platform.values() if values["resource_type"] == "aws_iam_role"]
    assert len(rows) == len(roles) + 2 > 10
    assert [row for row in rows if "mocked" in row or "123456789012" in row] == []
    (transform,) = (row for row in rows if row.startswith("| `transform` |"))
    assert "secretsmanager GetSecretValue: `the pseudonym key`" in transform
