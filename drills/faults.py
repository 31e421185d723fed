"""Inject faults into deployed parts: roles, policies, functions, objects."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from drills.lake import Lake
from lake.core.s3 import Location
from lake.environment import releases

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
    s3, place = lake.client("s3"), Location(lake.bucket, prefix)
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=place.bucket, Prefix=place.prefix):
        for marker in page.get("DeleteMarkers", []):
            if marker["IsLatest"]:
                s3.delete_object(Bucket=lake.bucket, Key=marker["Key"], VersionId=marker["VersionId"])


def configure(lake: Lake, function: str, **changes: Any) -> None:
    """Change the configuration of a function by hand, and let its callers have it: a new version is live."""
    client = lake.client("lambda")
    client.update_function_configuration(FunctionName=function, **changes)
    version = client.publish_version(FunctionName=function)["Version"]
    client.update_alias(FunctionName=function, Name="live", FunctionVersion=version)


def deployed_script(lake: Lake) -> tuple[str, str]:
    """The code bucket, and the key of the script that the pipeline's job runs."""
    location = lake.client("glue").get_job(JobName=lake.job)["Job"]["Command"]["ScriptLocation"]
    bucket, _, key = location.removeprefix("s3://").partition("/")
    return bucket, key


def edit_script(lake: Lake, old: str, new: str) -> None:
    """Change the job's script where it lies, as somebody does who wants to help quickly; ``old`` must be in it."""
    bucket, key = deployed_script(lake)
    lake.client("s3").put_object(Bucket=bucket, Key=key, Body=_edited(lake, old, new))


def deploy_script(lake: Lake, old: str, new: str) -> None:
    """Deploy the job with another script, as an apply of another commit does: beside the one that is there."""
    bucket, key = deployed_script(lake)
    folder, _, script = key.rpartition("/")
    body = _edited(lake, old, new)
    version = hashlib.sha256(body).hexdigest()[:12]
    there = f"{folder.rpartition('/')[0]}/{version}"
    (wheel,) = (name for name in lake.objects(f"{folder}/", bucket) if name.endswith(".whl"))
    s3 = lake.client("s3")
    s3.put_object(Bucket=bucket, Key=f"{there}/{script}", Body=body)
    s3.put_object(Bucket=bucket, Key=f"{there}/{wheel.rpartition('/')[2]}", Body=lake.read(wheel, bucket))
    releases.switch(lake.platform, releases.Release("", {lake.job: version}, {}))


def _edited(lake: Lake, old: str, new: str) -> bytes:
    bucket, key = deployed_script(lake)
    text = lake.read(key, bucket).decode()
    if old not in text:
        raise ValueError(f"{old!r} is not in {key}")
    return text.replace(old, new).encode()
