"""Inject faults into deployed parts: roles, policies, functions, objects."""

import json
from collections.abc import Callable
from typing import Any

from drills.lake import Lake

Statement = dict[str, Any]


def _edit_role(lake: Lake, role: str, edit: Callable[[Statement], Statement | None]) -> None:
    """Rewrite each statement of a role's policy; one that becomes None goes."""
    iam, named = lake.client("iam"), {"RoleName": role, "PolicyName": "access"}
    policy = iam.get_role_policy(**named)["PolicyDocument"]
    edited = [statement for statement in map(edit, policy["Statement"]) if statement is not None]
    iam.put_role_policy(**named, PolicyDocument=json.dumps({**policy, "Statement": edited}))


def forbid_action(lake: Lake, role: str, action: str) -> None:
    """Take one action from a role; it must have had it."""
    taken: list[str] = []

    def without(statement: Statement) -> Statement | None:
        kept = [name for name in statement["Action"] if name != action]
        taken.extend(name for name in statement["Action"] if name == action)
        return {**statement, "Action": kept} if kept else None

    _edit_role(lake, role, without)
    if not taken:
        raise ValueError(f"{role} does not have {action}")


def forbid_writing(lake: Lake, role: str, prefix: str) -> None:
    """Take the right to put objects below a prefix from a role."""

    def without(statement: Statement) -> Statement:
        if "s3:PutObject" not in statement["Action"]:
            return statement
        return {**statement, "Resource": [arn for arn in statement["Resource"] if f"/{prefix}" not in arn]}

    _edit_role(lake, role, without)


def deny_by_bucket_policy(lake: Lake, role: str, prefix: str) -> None:
    """Add a statement to the bucket's policy that keeps a role from putting objects below a prefix."""
    s3 = lake.client("s3")
    policy = json.loads(s3.get_bucket_policy(Bucket=lake.bucket)["Policy"])
    principal = lake.client("iam").get_role(RoleName=role)["Role"]["Arn"]
    denial = {
        "Sid": "SomebodyKnewBetter",
        "Effect": "Deny",
        "Principal": {"AWS": principal},
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{lake.bucket}/{prefix}*",
    }
    policy["Statement"].append(denial)
    s3.put_bucket_policy(Bucket=lake.bucket, Policy=json.dumps(policy))


def switch_schedule(lake: Lake, name: str, state: str) -> None:
    """Set the schedule of this full name to ``ENABLED`` or ``DISABLED``."""
    scheduler = lake.client("scheduler")
    schedule = scheduler.get_schedule(Name=name)
    kept = ("ScheduleExpression", "ScheduleExpressionTimezone", "FlexibleTimeWindow", "Target", "GroupName")
    scheduler.update_schedule(Name=name, State=state, **{word: schedule[word] for word in kept})


def hide(lake: Lake, prefix: str) -> None:
    """Delete the objects below a prefix, as somebody with a console does; their versions stay."""
    keys = [{"Key": key} for key in lake.objects(prefix)]
    for start in range(0, len(keys), 1000):
        lake.client("s3").delete_objects(Bucket=lake.bucket, Delete={"Objects": keys[start : start + 1000]})


def unhide(lake: Lake, prefix: str) -> None:
    """Take away what hides older versions below a prefix."""
    s3 = lake.client("s3")
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=lake.bucket, Prefix=prefix):
        for marker in page.get("DeleteMarkers", []):
            if marker["IsLatest"]:
                s3.delete_object(Bucket=lake.bucket, Key=marker["Key"], VersionId=marker["VersionId"])
