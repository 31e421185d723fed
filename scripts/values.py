"""The values that people have decided for an environment, before anything is deployed.

Each stands in the <environment>.tfvars of each root, else in TF_VAR_<name>, else it is the variable's default.
"""

import os
import re

from lake.environment import deployment
from scripts import roots

# The last part of the name of each bucket; a test compares the names with those that Terraform makes.
BUCKETS = ("datalake", "results", "logs", "code")


def file(environment: str, root: str = roots.PLATFORM) -> str:
    """The file of a root's values, from the top of the repository."""
    return str((roots.folder(root) / f"{environment}.tfvars").relative_to(roots.REPOSITORY))


def text(environment: str, name: str) -> str | None:
    """A value of the platform that is text; None when nobody has given one and there is no default."""
    quoted = re.search(rf'^\s*{name}\s*=\s*"([^"]*)"', _values(environment, roots.PLATFORM), re.MULTILINE)
    if quoted:
        return quoted[1]
    return os.environ.get(f"TF_VAR_{name}") or _default(name)


def alert_email(environment: str) -> str | None:
    """The address that would receive alarms: ALERT_EMAIL before everything else."""
    return os.environ.get("ALERT_EMAIL") or text(environment, "alert_email")


def region(environment: str) -> str:
    """The region of all resources."""
    return str(text(environment, "region"))


def buckets(environment: str, account: str) -> list[str]:
    """The names of the buckets, as Terraform would make them in the account."""
    prefix = text(environment, "bucket_prefix") or deployment.project()
    return [f"{prefix}-{account}-{region(environment)}-{environment}-{what}" for what in BUCKETS]


def allow_destroy(environment: str) -> bool:
    """Return True if the first of the two switches that deleting data needs is set for the platform."""
    name = "allow_destroy"
    said = re.search(rf"^\s*{name}\s*=\s*(true|false)\b", _values(environment, roots.PLATFORM), re.MULTILINE)
    return (said[1] if said else os.environ.get(f"TF_VAR_{name}", "false")) == "true"


def reserved_concurrency(environment: str) -> dict[str, int]:
    """Files that reserve simultaneous invocations of functions => how many."""
    found = {}
    for root in (roots.PLATFORM, *roots.pipelines()):
        block = re.search(
            r"^reserved_concurrency\s*=\s*\{(.*?)\}", _values(environment, root), re.MULTILINE | re.DOTALL
        )
        numbers = re.findall(r"=\s*(\d+)", block[1]) if block else []
        if numbers:
            found[file(environment, root)] = sum(map(int, numbers))
    return found


def _values(environment: str, root: str) -> str:
    return (roots.folder(root) / f"{environment}.tfvars").read_text(encoding="utf-8")


def _default(name: str) -> str | None:
    variables = (roots.folder(roots.PLATFORM) / "variables.tf").read_text(encoding="utf-8")
    found = re.search(rf'^variable "{name}" \{{[^}}]*?default\s*= "([^"]*)"', variables, re.MULTILINE)
    return found[1] if found else None
