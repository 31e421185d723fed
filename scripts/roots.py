"""The Terraform roots of this repository, and where each keeps its state: the one place that knows."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
TERRAFORM = REPOSITORY / "terraform"
BACKEND = TERRAFORM / "backend.hcl"
PLATFORM = "platform"


def folder(root: str) -> Path:
    """The folder of a root: the platform or a pipeline."""
    return TERRAFORM / root if root == PLATFORM else TERRAFORM / "pipelines" / root


def pipelines() -> list[str]:
    """The pipelines that have a root, by name."""
    return sorted(path.parent.name for path in (TERRAFORM / "pipelines").glob("*/versions.tf"))


def environments() -> list[str]:
    """The environments that have values of the platform."""
    return sorted(path.stem for path in folder(PLATFORM).glob("*.tfvars"))


def state_key(environment: str, root: str) -> str:
    """The object in the state bucket."""
    return f"{environment}/{'terraform' if root == PLATFORM else root}.tfstate"


def backend() -> dict[str, str]:
    """The quoted settings of backend.hcl: bucket, region, dynamodb_table."""
    text = BACKEND.read_text(encoding="utf-8")
    return dict(re.findall(r'^\s*(\w+)\s*=\s*"([^"]*)"', text, re.MULTILINE))


def state(environment: str, root: str) -> dict[str, str]:
    """The settings of backend.hcl and the ``key`` of one state."""
    return {**backend(), "key": state_key(environment, root)}
