"""Scenario 6: terraform apply fails, because something that it would create is there."""

import os
import signal
import subprocess
from typing import Any

from drills.drill import Drill, require
from drills.lake import REPOSITORY, Lake
from drills.weather_iot.terraform_apply import apply_fails
from lake.environment.deployment import project
from scripts import roots
from scripts.state_lock import locks

SECTION = "terraform-already-exists"
UNLOCK = ("terraform-apply-fails.holder", "terraform-apply-fails.unlock")
# So many creations are complete when the apply is killed: keys, aliases, buckets, roles, and what depends on them.
KILLED_AFTER = 40
# Terraform writes its state every 20 seconds while it applies: whether that happens before the kill is not for a clock.
NEVER = "86400"


def bootstrapped(lake: Lake) -> None:
    """Make the bucket of the state."""
    require(lake.command("bash", "terraform/bootstrap.sh").returncode == 0, "the state could not be made")


def log_group(lake: Lake) -> dict[str, str]:
    """Somebody has made the log group of a function by hand."""
    bootstrapped(lake)
    lake.client("logs").create_log_group(logGroupName=f"/aws/lambda/{project()}-watch-dev")
    return {}


def killed(lake: Lake) -> dict[str, str]:
    """The first apply is killed in the middle of it, with all its children."""
    bootstrapped(lake)
    process = subprocess.Popen(
        ["make", "-s", "apply", "PIPELINE=platform"],
        cwd=REPOSITORY,
        env={**lake.process_environment(), "TF_DATA_DIR": str(lake.terraform_data), "TF_STATE_PERSIST_INTERVAL": NEVER},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    made = 0
    for line in process.stdout or ():
        made += "Creation complete" in line
        if made == KILLED_AFTER:
            break
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    require(made == KILLED_AFTER, f"the apply ended by itself, after {made} creations")
    return {"LOCK_TIMEOUT": "0s"}


def killed_and_applied_again(lake: Lake) -> dict[str, str]:
    """As ``killed``; then somebody has taken the lock away."""
    killed(lake)
    account = lake.client("sts").get_caller_identity()["Account"]
    (lock, *_) = locks(roots.state("dev", roots.PLATFORM, account), lake.client)
    unlocked = lake.command("make", "-s", "unlock", f"LOCK={lock.id}")
    require(unlocked.returncode == 0, f"the lock could not be taken away\n{unlocked.stderr}")
    return {}


def apply_meets(lake: Lake, variables: dict[str, str]) -> str:
    """All errors of ``make apply``."""
    done = lake.command("make", "-s", "apply", **variables)
    require(done.returncode != 0, "the apply worked")
    return "\n".join(line.strip(" │") for line in done.stderr.splitlines() if "Error: " in line)


def whole(lake: Lake, _found: Any) -> str:
    """The lake is deployed, and who has the log group is Terraform."""
    group = f"/aws/lambda/{project()}-watch-dev"
    groups = lake.client("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    (found,) = (entry for entry in groups if entry["logGroupName"] == group)
    require(
        "kmsKeyId" in found and "retentionInDays" in found, f"the log group has no key or keeps everything: {found}"
    )
    return f"{_keys(lake)}; {group} has a key and forgets after {found['retentionInDays']} days"


def without_orphans(lake: Lake, found: Any) -> str:
    """The lake is deployed, with the keys of the apply that was killed."""
    keys = _keys(lake)
    require(keys == "3 keys, 3 of them with an alias", keys)
    return whole(lake, found)


def with_new_keys(lake: Lake, found: Any) -> str:
    """The lake is deployed, with the keys of the second apply; one of those that were left is going to be deleted."""
    keys = _keys(lake)
    require(keys == "5 keys, 3 of them with an alias", keys)
    return whole(lake, found)


def _keys(lake: Lake) -> str:
    """How many keys of ours can be used, and how many of them something uses by name."""
    kms = lake.client("kms")
    states = [kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"] for key in kms.list_keys()["Keys"]]
    ours = {key["KeyId"] for key in states if key["KeyManager"] == "CUSTOMER" and key["KeyState"] == "Enabled"}
    named = {alias.get("TargetKeyId") for alias in kms.list_aliases()["Aliases"]}
    return f"{len(ours)} keys, {len(ours & named)} of them with an alias"


def _drill(number: str, title: str, inject: Any, blocks: tuple[str, ...], **more: Any) -> Drill:
    given = {"variables": lambda _lake, found: dict(found), "fresh_account": True, "noticed": apply_meets}
    return Drill(id=number, section=SECTION, title=title, inject=inject, blocks=blocks, **{**given, **more})


DRILLS = (
    _drill(
        "6h", "a log group was there before the first apply", log_group, ("confirm", "adopt", "plan"),
        noticed=apply_fails, proof=whole, reads={"OURS": r'OURS="([^"]+)"'},
    ),
    _drill(
        "6i", "the first apply was killed", killed, (*UNLOCK, "confirm", "adopt", "plan"),
        proof=without_orphans, reads={"LOCK": r", ID (\S+)"},
    ),
    _drill(
        "6j", "after a first apply that was killed somebody has applied again", killed_and_applied_again,
        ("confirm", "adopt", "orphan", "plan"), proof=with_new_keys, reads={"KEY": r"orphan  aws_kms_key (\S+):"},
    ),
)  # fmt: skip
