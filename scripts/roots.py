"""The Terraform roots of this repository, and where each keeps its state: the one place that knows."""

import re
from collections.abc import Sequence
from pathlib import Path

import boto3

from lake.environment import deployment

REPOSITORY = Path(__file__).parent.parent
TERRAFORM = REPOSITORY / "terraform"
BACKEND = TERRAFORM / "backend.hcl"
PLATFORM = "platform"
# What an account has before any environment, in a root that only an administrator applies: scripts/delivery_roles.py.
BOOTSTRAP = "bootstrap"
ACCOUNT = "account"


def folder(root: str) -> Path:
    """The folder of a root: the platform, the bootstrap or a pipeline."""
    return TERRAFORM / root if root in (PLATFORM, BOOTSTRAP) else TERRAFORM / "pipelines" / root


def pipelines() -> list[str]:
    """The pipelines that have a root, by name."""
    return sorted(path.parent.name for path in (TERRAFORM / "pipelines").glob("*/versions.tf"))


def environments() -> list[str]:
    """The environments that have values of the platform."""
    return sorted(path.stem for path in folder(PLATFORM).glob("*.tfvars"))


def state_key(environment: str, root: str) -> str:
    """The object in the state bucket."""
    if root == BOOTSTRAP:
        return f"{BOOTSTRAP}.tfstate"
    return f"{environment}/{'terraform' if root == PLATFORM else root}.tfstate"


def state_region() -> str:
    """The region of all states, from backend.hcl."""
    return _quoted(BACKEND)["region"]


def caller_account() -> str:
    """The account of the credentials, from STS; raises botocore's errors."""
    # Any account and no rights are enough for this one call.
    return str(boto3.client("sts", region_name=state_region()).get_caller_identity()["Account"])


def expected_account(environment: str) -> str | None:
    """The only account in which an environment may be: ``account_id`` in the platform's values, None for any."""
    if environment == ACCOUNT:
        return None
    return _quoted(folder(PLATFORM) / f"{environment}.tfvars").get("account_id")


def backend(account: str) -> dict[str, str]:
    """Return the place of the states of this project in an account: bucket, region, dynamodb_table."""
    project, region = deployment.project(), state_region()
    # Names of buckets are shared with the whole world, those of tables are not.
    bucket = f"{project}-tf-state-{account}-{region}"
    return {"bucket": bucket, "region": region, "dynamodb_table": f"{project}-tf-locks"}


def state(environment: str, root: str, account: str) -> dict[str, str]:
    """The settings of ``backend`` and the ``key`` of one state."""
    return {**backend(account), "key": state_key(environment, root)}


def backend_options(environment: str, root: str, account: str) -> Sequence[str]:
    """The options of `terraform init` that complete the backend of a root."""
    allowed = expected_account(environment)
    fence = [f'-backend-config=allowed_account_ids=["{allowed}"]'] if allowed else []
    settings = [f"-backend-config={name}={value}" for name, value in state(environment, root, account).items()]
    return [f"-backend-config={BACKEND}", *settings, *fence]


def _quoted(file: Path) -> dict[str, str]:
    """The quoted values of a file of settings, by name."""
    return dict(re.findall(r'^\s*(\w+)\s*=\s*"([^"]*)"', file.read_text(encoding="utf-8"), re.MULTILINE))
