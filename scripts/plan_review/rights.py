"""Say who gains and who loses which right by a plan, from the policies in it."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

# Type of resource => its attributes that hold a policy document, and the one that says whose it is.
POLICIES: Mapping[str, tuple[tuple[str, ...], str]] = {
    "aws_iam_policy": (("policy",), "name"),
    "aws_iam_role": (("assume_role_policy",), "name"),
    "aws_iam_role_policy": (("policy",), "role"),
    "aws_iam_group_policy": (("policy",), "group"),
    "aws_iam_user_policy": (("policy",), "user"),
    "aws_kms_key": (("policy",), "description"),
    "aws_s3_bucket_policy": (("policy",), "bucket"),
    "aws_secretsmanager_secret_policy": (("policy",), "secret_arn"),
    "aws_sns_topic_policy": (("policy",), "arn"),
    "aws_sqs_queue_policy": (("policy",), "queue_url"),
    "aws_glue_resource_policy": (("policy",), "id"),
    "aws_lambda_permission": ((), "function_name"),
}
# Attaching a policy that AWS wrote gives rights that no plan spells out.
ATTACHMENTS = ("aws_iam_role_policy_attachment", "aws_iam_user_policy_attachment", "aws_iam_group_policy_attachment")
# What says that a role has no other policies: it takes away what is not listed, and attaches what is.
EXCLUSIVE: Mapping[str, str] = {
    "aws_iam_role_policies_exclusive": "policy_names",
    "aws_iam_role_policy_attachments_exclusive": "policy_arns",
}


@dataclass(frozen=True)
class Right:
    """One cell of a policy: an effect for one principal, action and resource, under all of its conditions."""

    effect: str
    principal: str
    action: str
    resource: str
    conditions: frozenset[str] = frozenset()

    @property
    def text(self) -> str:
        """The right in words."""
        who = f"{self.principal} " if self.principal else ""
        verb = "may" if self.effect == "Allow" else "must not"
        condition = f" if {' and '.join(sorted(self.conditions))}" if self.conditions else ""
        where = f" on {self.resource}" if self.resource else ""
        return f"{who}{verb} {self.action}{where}{condition}"


@dataclass(frozen=True)
class Change:
    """The difference that one policy makes. ``unknown`` is True when its text is known only while it is applied."""

    address: str
    whose: str
    gained: tuple[Right, ...] = ()
    lost: tuple[Right, ...] = ()
    unknown: bool = False

    @property
    def loosens(self) -> bool:
        """Return True if somebody may do more than before: a new permission, or a prohibition that is gone."""
        return any(right.effect == "Allow" for right in self.gained) or any(
            right.effect == "Deny" for right in self.lost
        )


def changes(plan: Mapping[str, Any]) -> list[Change]:
    """Every policy of a plan that gives or takes something, by address."""
    found = [change for entry in plan.get("resource_changes", ()) for change in _of(entry)]
    return sorted(found, key=lambda change: change.address)


def gained(before: Iterable[Right], after: Iterable[Right]) -> tuple[Right, ...]:
    """The rights of ``after`` that no right of ``before`` already said, in words' order."""
    known = list(before)
    new = [right for right in after if not any(_says(other, right) for other in known)]
    return tuple(sorted(new, key=lambda right: right.text))


def rights(document: str | None) -> list[Right]:
    """Every cell of a policy document; none of an empty one."""
    if not document:
        return []
    statements = json.loads(document).get("Statement", [])
    return [right for statement in _list(statements) for right in _cells(statement)]


def _of(entry: Mapping[str, Any]) -> Iterator[Change]:
    before, after = entry["change"].get("before") or {}, entry["change"].get("after") or {}
    unknown = entry["change"].get("after_unknown") or {}
    if entry["type"] in ATTACHMENTS:
        yield from _attachment(entry["address"], before, after)
        return
    if entry["type"] in EXCLUSIVE and before and after:
        yield from _exclusive(entry, before, after)
        return
    attributes, owner = POLICIES.get(entry["type"], ((), ""))
    for attribute in attributes:
        whose = str(after.get(owner) or before.get(owner) or "")
        if isinstance(unknown, Mapping) and unknown.get(attribute):
            yield Change(entry["address"], whose, unknown=True)
            continue
        old, new = rights(before.get(attribute)), rights(after.get(attribute))
        found = Change(entry["address"], whose, gained(old, new), gained(new, old))
        if found.gained or found.lost:
            yield found


def _attachment(address: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    old, new = before.get("policy_arn"), after.get("policy_arn")
    if old != new:
        named = (values[name] for values in (after, before) for name in ("role", "user", "group") if values.get(name))
        whose = str(next(named, ""))
        given, taken = ((Right("Allow", "", "all that is in", arn),) if arn else () for arn in (new, old))
        yield Change(address, whose, given, taken)


def _exclusive(entry: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    names = EXCLUSIVE[entry["type"]]
    old, new = (set(values.get(names) or ()) for values in (before, after))
    # What has just been put onto the role is known only while it is applied; it is judged as what it is.
    unknown = bool((entry["change"].get("after_unknown") or {}).get(names))
    given, taken = (
        tuple(Right("Allow", "", "all that is in", policy) for policy in sorted(policies))
        for policies in (new - old, () if unknown else old - new)
    )
    if given or taken:
        yield Change(entry["address"], str(after["role_name"]), given, taken)


def _cells(statement: Mapping[str, Any]) -> Iterator[Right]:
    conditions = frozenset(
        f"{key} {operator} {'|'.join(sorted(map(str, _list(values))))}"
        for operator, keys in (statement.get("Condition") or {}).items()
        for key, values in keys.items()
    )
    actions = [*_list(statement.get("Action")), *(f"all but {name}" for name in _list(statement.get("NotAction")))]
    places = [*_list(statement.get("Resource")), *(f"all but {name}" for name in _list(statement.get("NotResource")))]
    for principal in _principals(statement):
        for action in actions:
            for place in places or [""]:
                yield Right(statement["Effect"], principal, action, place, conditions)


def _principals(statement: Mapping[str, Any]) -> list[str]:
    found = []
    for name, prefix in (("Principal", ""), ("NotPrincipal", "all but ")):
        given = statement.get(name)
        groups = given.values() if isinstance(given, Mapping) else [_list(given)]
        found += [f"{prefix}{'everybody' if who == '*' else who}" for group in groups for who in _list(group)]
    return found or [""]


def _says(known: Right, right: Right) -> bool:
    """Return True if ``known`` holds whenever ``right`` does: its patterns are as wide and its conditions no more."""
    return (
        known.effect == right.effect
        and (known.principal in (right.principal, "everybody"))
        and _as_wide(known.action, right.action)
        and _as_wide(known.resource, right.resource)
        and known.conditions <= right.conditions
    )


def _as_wide(pattern: str, text: str) -> bool:
    # A "?" or "[" of fnmatch means nothing or something else to IAM; equality is always right.
    special = any(character in pattern for character in "?[")
    return pattern == text or (not special and not text.startswith("all but ") and fnmatchcase(text, pattern))


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]
