"""An account in a localaws that is ready for GitHub Actions, and workflows that deliver into it."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.config import Config

from drills.lake import Lake
from lake.environment.deployment import PROJECT
from localaws.testing import Issuer
from tests import local_aws

OWNER, REPOSITORY = {"name": "acme", "id": "11"}, {"name": "lake", "id": "22"}
NAMES = f"repo:{OWNER['name']}/{REPOSITORY['name']}"
NUMBERS = f"repo:{OWNER['name']}@{OWNER['id']}/{REPOSITORY['name']}@{REPOSITORY['id']}"
ACCOUNT = "000000000000"
PATH = f"/lake/{PROJECT}/dev/"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/delivery/{PROJECT}/{PROJECT}-delivery-boundary-dev"
# Which job of the repository gets which role.
JOBS = {"plan": "pull_request", "apply": "environment:dev", "destroy": "environment:destroy-dev"}
# A plan takes no lock: it may not write one.
DELIVERY = {
    "TF_CLI_ARGS_plan": "-lock=false",
    "TF_VAR_roles": json.dumps({"path": PATH, "permissions_boundary": BOUNDARY}),
    "TF_VAR_allow_destroy": "true",
}


@dataclass(frozen=True)
class Account(Lake):
    """The account of dev and prod. ``issuer`` is GitHub, which it trusts."""

    issuer: Issuer = field(default_factory=Issuer)

    def role(self, kind: str, environment: str = "dev") -> str:
        """The ARN of the role that plans, applies or destroys."""
        return f"arn:aws:iam::{ACCOUNT}:role/delivery/{PROJECT}/{PROJECT}-delivery-{kind}-{environment}"

    def assume(self, role: str, **claims: str) -> dict[str, str]:
        """The keys of a session of a role, as variables, for a workflow with these claims; raises ClientError."""
        usual = {"repository_id": REPOSITORY["id"]}
        token = self.issuer.token(self.now, **{**usual, **claims})
        anonymous = Config(signature_version=UNSIGNED)
        sts = boto3.client("sts", endpoint_url=self.endpoint, region_name="us-east-1", config=anonymous)
        keys = sts.assume_role_with_web_identity(RoleArn=role, RoleSessionName="run", WebIdentityToken=token)
        names = {
            "AccessKeyId": "ACCESS_KEY_ID",
            "SecretAccessKey": "SECRET_ACCESS_KEY",
            "SessionToken": "SESSION_TOKEN",
        }
        return {f"AWS_{variable}": keys["Credentials"][name] for name, variable in names.items()}

    def workflow(self, kind: str) -> dict[str, str]:
        """The environment of a job of the repository that plans, applies or destroys."""
        return {**DELIVERY, **self.assume(self.role(kind), sub=f"{NUMBERS}:{JOBS[kind]}")}

    def clients(self, kind: str) -> Callable[[str], Any]:
        """A maker of clients of such a job."""
        keys = self.workflow(kind)
        session: Any = boto3.Session(
            keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"], keys["AWS_SESSION_TOKEN"], "us-east-1"
        )
        return lambda service: session.client(service, endpoint_url=self.endpoint)


@contextmanager
def account(folder: Path) -> Iterator[Account]:
    """An account of one's own with state, provider and roles, and nothing else."""
    with local_aws.running(folder / "home") as aws:
        made = Account(aws.home, aws.port, aws.environment, folder / "terraform")
        made.trust_issuer(made.issuer.url, made.issuer.keys)
        bootstrapped = made.command("bash", "terraform/bootstrap.sh")
        assert bootstrapped.returncode == 0, bootstrapped.stderr
        delivering = make_roles(made)
        assert delivering.returncode == 0, delivering.stdout[-3000:] + delivering.stderr
        yield made


def make_roles(aws: Account) -> Any:
    """Make the roles of the delivery, or repair them, as the administrator."""
    repository = ["--github", f"{OWNER['name']}/{REPOSITORY['name']}"]
    numbers = ["--owner-id", OWNER["id"], "--repository-id", REPOSITORY["id"]]
    command = [sys.executable, "-m", "scripts.delivery_roles", *repository, *numbers, "--yes"]
    return aws.command(*command, TF_VAR_allow_destroy="true")
