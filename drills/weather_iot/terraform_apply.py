"""Scenario 6: terraform apply fails."""

import json
import os
import signal
import subprocess
import time
from typing import Any

from drills import faults
from drills.drill import Drill, in_first_block, require
from drills.lake import REPOSITORY, RUN_DEADLINE_SECONDS, Lake
from lake.environment.deployment import project
from scripts import roots, values
from scripts.state_lock import StateLock, locks

SECTION = "terraform-apply-fails"
HELD_SECONDS = RUN_DEADLINE_SECONDS
OTHER_PREFIX = "acme-lake"
STRANGER = "drill-without-rights"
BY_HAND = "somebody-knew-better"


def plan(lake: Lake, **variables: str) -> subprocess.CompletedProcess[str]:
    """Terraform's plan: 0 for no changes, 2 for some, 1 for an error."""
    return lake.terraform("plan", **variables)


def nothing(_lake: Lake) -> dict[str, str]:
    """A fresh account needs no fault."""
    return {}


def killed(lake: Lake) -> dict[str, str]:
    """An apply that holds the lock of the state is killed in the middle of it."""
    # Something that Terraform asks for and the comparison of contracts before it does not.
    lake.break_aws({"service": "sns", "action": "GetTopicAttributes", "hang": True, "times": 0})
    process = subprocess.Popen(
        ["make", "-s", "apply"],
        cwd=REPOSITORY, env={**lake.process_environment(), "TF_DATA_DIR": str(lake.terraform_data)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        _wait_for_lock(lake)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        lake.break_aws()
    return {"LOCK_TIMEOUT": "0s"}


def _locks(lake: Lake) -> list[StateLock]:
    return locks(roots.state("dev", roots.PLATFORM, lake.names["account_id"]), lake.client)


def _wait_for_lock(lake: Lake) -> None:
    deadline = time.monotonic() + HELD_SECONDS
    while len(_locks(lake)) < 2:
        require(time.monotonic() < deadline, f"no apply has taken the lock within {HELD_SECONDS} s")
        time.sleep(0.1)


def unlock_what_is_left(lake: Lake, _found: Any) -> None:
    """Without this, a drill that fails would lock out all that follow."""
    for lock in _locks(lake)[:1]:
        lake.command("make", "-s", "unlock", f"LOCK={lock.id}")


def no_rights(lake: Lake) -> dict[str, str]:
    """Terraform runs as somebody who may do nothing."""
    iam = lake.client("iam")
    iam.create_user(UserName=STRANGER)
    key = iam.create_access_key(UserName=STRANGER)["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}


def remove_stranger(lake: Lake, found: dict[str, str] | None) -> None:
    """Delete the user of ``no_rights``."""
    iam = lake.client("iam")
    if found:
        iam.delete_access_key(UserName=STRANGER, AccessKeyId=found["AWS_ACCESS_KEY_ID"])
    iam.delete_user(UserName=STRANGER)


def expired(lake: Lake) -> dict[str, str]:
    """The credentials of a session are used after its end."""
    session = lake.client("sts").get_session_token(DurationSeconds=900)["Credentials"]
    lake.advance(960)
    return {
        "AWS_ACCESS_KEY_ID": session["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"],
        "AWS_SESSION_TOKEN": session["SessionToken"],
    }


def name_taken(lake: Lake) -> dict[str, str]:
    """Somebody else in the world has buckets with our names."""
    require(lake.command("bash", "terraform/bootstrap.sh").returncode == 0, "the state could not be made")
    names = values.buckets("dev", lake.client("sts").get_caller_identity()["Account"])
    theirs = {"service": "s3", "match": names[0].removesuffix("datalake"), "times": 0}
    lake.break_aws(
        {
            **theirs, "action": "CreateBucket", "status": 409, "code": "BucketAlreadyExists",
            "message": "The requested bucket name is not available.",
        },
        {**theirs, "action": "HeadBucket", "status": 403, "code": "AccessDenied", "message": "Access Denied"},
    )  # fmt: skip
    return {}


def apply_fails(lake: Lake, variables: dict[str, str]) -> str:
    """The error of ``make apply``."""
    done = lake.command("make", "-s", "apply", **variables)
    require(done.returncode != 0, "the apply worked")
    return next(line for line in done.stderr.splitlines() + done.stdout.splitlines() if "rror" in line).strip(" │")


def quota(lake: Lake) -> dict[str, str]:
    """The account may not have another alarm; one of ours was deleted by hand."""
    lake.client("cloudwatch").delete_alarms(AlarmNames=[f"{project()}-reconciliation-dev"])
    lake.break_aws(
        {
            "service": "cloudwatch", "action": "PutMetricAlarm", "times": 0, "status": 400, "code": "LimitExceeded",
            "message": "The quota for alarms for this customer has already been reached.",
        }
    )  # fmt: skip
    return {}


def quota_seen(lake: Lake, variables: dict[str, str]) -> str:
    """The error of ``make apply``; then the quota is raised, as a support case would do it."""
    said = apply_fails(lake, variables)
    lake.break_aws()
    return said


def drift(lake: Lake) -> dict[str, str]:
    """Somebody changed a function by hand."""
    faults.configure(lake, lake.function("batch_ingest"), MemorySize=512)
    return {}


def more_rights(lake: Lake) -> dict[str, str]:
    """Somebody gave the job's role everything in S3, to see whether that helps."""
    everything = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
    lake.client("iam").put_role_policy(RoleName=lake.job, PolicyName=BY_HAND, PolicyDocument=document)
    return {}


def without_more_rights(lake: Lake, found: Any) -> str:
    """The role has its own policy alone, and Terraform finds nothing to do."""
    policies = lake.client("iam").list_role_policies(RoleName=lake.job)["PolicyNames"]
    require(policies == ["access"], f"the role has {policies}")
    return f"{lake.job} has {policies[0]} alone; {planned(lake, found)}"


def less_rights(lake: Lake) -> dict[str, str]:
    """Somebody took from the repair role what the pipeline had put there."""
    lake.client("iam").delete_role_policy(RoleName=_repair_role(lake), PolicyName=lake.pipeline)
    return {}


def apply_fails_within(lake: Lake, variables: dict[str, str]) -> str:
    """All that ``make apply`` says of its error."""
    done = lake.command("make", "-s", "apply", **variables)
    require(done.returncode != 0, "the apply worked")
    return done.stderr


def with_all_rights(lake: Lake, found: Any) -> str:
    """The repair role has both policies again, and Terraform finds nothing to do."""
    role = _repair_role(lake)
    policies = lake.client("iam").list_role_policies(RoleName=role)["PolicyNames"]
    require(sorted(policies) == ["access", lake.pipeline], f"the role has {policies}")
    return f"{role} has {' and '.join(policies)}; {planned(lake, found)}"


def _repair_role(lake: Lake) -> str:
    return str(lake.names["repair_role"]).rpartition("/")[2]


def planned(_lake: Lake, _found: Any) -> str:
    """The runner has required of the last block that Terraform finds nothing to do."""
    return "plan: no changes"


def can_plan(lake: Lake, _found: Any) -> str:
    """Terraform plans a whole platform; the second bootstrap made nothing."""
    done = plan(lake)
    require(done.returncode == 2, f"the plan ended with {done.returncode}\n{(done.stdout + done.stderr)[-2000:]}")
    again = lake.command("bash", "terraform/bootstrap.sh").stdout
    require(again.count("was there") == 2, f"the second bootstrap made something: {again}")
    return next(line for line in done.stdout.splitlines() if line.startswith("Plan:"))


def deployed_elsewhere(lake: Lake, _found: Any) -> str:
    """The lake is there, with buckets of another name."""
    require(lake.bucket.startswith(f"{OTHER_PREFIX}-"), f"the bucket is {lake.bucket}")
    lake.client("s3").head_bucket(Bucket=lake.bucket)
    done = plan(lake, TF_VAR_bucket_prefix=OTHER_PREFIX)
    require(done.returncode == 0, f"the plan ended with {done.returncode}\n{(done.stdout + done.stderr)[-2000:]}")
    return f"bucket {lake.bucket}; plan: no changes"


def _drill(number: str, title: str, inject: Any, blocks: tuple[str, ...], **more: Any) -> Drill:
    given = {
        "noticed": in_first_block, "proof": planned, "plans_nothing": True,
        "variables": lambda _lake, found: dict(found),
    }  # fmt: skip
    return Drill(id=number, section=SECTION, title=title, inject=inject, blocks=blocks, **{**given, **more})


DRILLS = (
    _drill(
        "6a", "the state has no bucket yet", nothing, ("confirm", "bootstrap", "plan"),
        proof=can_plan, fresh_account=True, plans_nothing=False, refused=frozenset({"confirm"}),
    ),
    _drill(
        "6b", "a killed apply holds the lock", killed, ("confirm", "holder", "unlock", "plan"),
        refused=frozenset({"confirm"}), reads={"LOCK": r"Lock Info:\s+ID:\s+(\S+)"},
        cleanup=unlock_what_is_left,
    ),
    _drill(
        "6c", "the credentials may not do it", no_rights, ("confirm", "identity", "plan"),
        refused=frozenset({"confirm"}), cleanup=remove_stranger,
    ),
    _drill(
        "6d", "a bucket name is taken", name_taken, ("names", "rename"),
        noticed=apply_fails, proof=deployed_elsewhere, fresh_account=True, plans_nothing=False,
    ),
    _drill(
        "6e", "the credentials have expired", expired, ("confirm", "identity", "plan"), refused=frozenset({"confirm"}),
    ),
    _drill("6f", "a quota is reached", quota, ("quota", "apply", "plan"), noticed=quota_seen),
    _drill("6g", "somebody changed things by hand", drift, ("drift", "apply", "plan")),
    _drill(
        "6k", "somebody gave a role a policy by hand", more_rights, ("drift", "apply", "plan"),
        proof=without_more_rights,
    ),
    _drill(
        "6l", "somebody took the pipeline's policy from the repair role", less_rights, ("apply", "plan"),
        noticed=apply_fails_within, proof=with_all_rights,
    ),
)  # fmt: skip
