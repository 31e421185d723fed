"""Rights gained and lost: cells of policies, patterns, conditions."""

import json
from typing import Any

import pytest

from scripts.plan_review import guard, rights

READ = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "b/x"}
DENY = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "b", "Condition": {"Bool": {"tls": "false"}}}


def cells(*statements: dict[str, Any]) -> list[rights.Right]:
    return rights.rights(json.dumps({"Statement": list(statements)}))


def gained(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [right.text for right in rights.gained(cells(before), cells(after))]


def test_an_action_more_is_one_right() -> None:
    assert gained(READ, {**READ, "Action": ["s3:GetObject", "s3:PutObject"]}) == ["may s3:PutObject on b/x"]


@pytest.mark.parametrize("wide", [{"Action": "s3:*"}, {"Action": "s3:Get*"}, {"Resource": "b/*"}, {"Resource": "*"}])
def test_what_a_pattern_already_says_is_not_gained(wide: dict[str, str]) -> None:
    assert gained({**READ, **wide}, READ) == []
    assert len(gained(READ, {**READ, **wide})) == 1


def test_a_condition_more_gives_nothing_and_one_less_does() -> None:
    bound = {**READ, "Condition": {"StringEquals": {"aws:SourceAccount": "1"}}}
    assert gained(READ, bound) == []
    assert gained(bound, READ) == ["may s3:GetObject on b/x"]


def test_all_but_is_never_taken_for_a_pattern() -> None:
    but = {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}
    assert gained({**READ, "Action": "*", "Resource": "*"}, but) == ["may all but iam:* on *"]
    assert gained(but, {**READ, "Resource": "*"}) == ["may s3:GetObject on *"]


@pytest.mark.parametrize(
    ("before", "after", "looser"),
    [
        ([DENY], [], True),
        ([DENY], [{**DENY, "Condition": {**DENY["Condition"], "Null": {"x": "true"}}}], True),  # type: ignore[dict-item]  # JSON
        ([{**DENY, "Condition": {**DENY["Condition"], "Null": {"x": "true"}}}], [DENY], False),  # type: ignore[dict-item]  # JSON
        ([DENY], [DENY, {**READ, "Principal": {"AWS": "arn:aws:iam::2:root"}}], True),
        ([DENY, {**READ, "Principal": "*"}], [DENY], False),
    ],
)
def test_a_bucket_policy_is_looser_when_somebody_may_do_more(
    before: list[dict[str, Any]], after: list[dict[str, Any]], looser: bool
) -> None:
    change = {side: {"policy": json.dumps({"Statement": of})} for side, of in (("before", before), ("after", after))}
    entry = {"address": "p", "type": "aws_s3_bucket_policy", "change": {"actions": ["update"], **change}}
    assert bool(guard.dangers({"resource_changes": [entry]})) is looser


def test_a_policy_that_is_known_only_later_cannot_be_judged() -> None:
    change = {"actions": ["update"], "before": {"policy": "{}"}, "after": {}, "after_unknown": {"policy": True}}
    entry = {"address": "k", "type": "aws_kms_key", "change": change}
    (danger,) = guard.dangers({"resource_changes": [entry]})
    assert danger.what == "its policy is known only while it is applied"


def test_attaching_a_policy_of_aws_is_a_right() -> None:
    change = {"actions": ["create"], "before": None, "after": {"role": "r", "policy_arn": "arn:aws:iam::aws:policy/X"}}
    entry = {"address": "a", "type": "aws_iam_role_policy_attachment", "change": change}
    (found,) = rights.changes({"resource_changes": [entry]})
    assert (found.whose, [right.text for right in found.gained]) == (
        "r",
        ["may all that is in on arn:aws:iam::aws:policy/X"],
    )


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("aws_iam_role_policies_exclusive", "policy_names"),
        ("aws_iam_role_policy_attachments_exclusive", "policy_arns"),
    ],
)
def test_a_policy_that_goes_from_a_role_because_it_is_not_listed_is_a_right_that_is_lost(kind: str, names: str) -> None:
    def found(before: list[str], after: list[str]) -> tuple[list[str], list[str]]:
        sides = {"before": {"role_name": "r", names: before}, "after": {"role_name": "r", names: after}}
        entry = {"address": "a", "type": kind, "change": {"actions": ["update"], **sides}}
        (change,) = rights.changes({"resource_changes": [entry]})
        assert change.whose == "r"
        return [right.text for right in change.gained], [right.text for right in change.lost]

    assert found(["access", "by-hand"], ["access"]) == ([], ["may all that is in on by-hand"])
    assert found(["access"], ["access", "by-hand"]) == (["may all that is in on by-hand"], [])


@pytest.mark.parametrize(
    ("switches", "deletes", "permitted"),
    [
        ((True, True, True), True, True),
        ((True, False, True), True, False),
        ((True, False, True), False, True),
        ((False, True, True), False, False),
        ((True, True, False), True, False),
    ],
)
def test_both_switches_have_to_agree(switches: tuple[bool, bool, bool], deletes: bool, permitted: bool) -> None:
    assert guard.Switches(*switches).permit(guard.Danger("a", "b", deletes)) is permitted


def test_forgetting_a_bucket_is_a_loss() -> None:
    entry = {"address": "b", "type": "aws_s3_bucket", "change": {"actions": ["forget"], "before": {}, "after": None}}
    assert [danger.deletes for danger in guard.dangers({"resource_changes": [entry]})] == [True]
