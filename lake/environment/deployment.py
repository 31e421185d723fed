"""Find a deployed platform: the resource names that Terraform writes to an SSM parameter."""

import json
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import ClientError

from lake.core.errors import LakeError

PROJECT = "aws-datalake-platform"


class NotDeployed(LakeError):
    """The account of the credentials has no platform of that environment."""


@dataclass(frozen=True)
class Platform:
    """One deployed environment; ``names`` is Terraform's output object ``platform``."""

    environment: str
    names: dict[str, Any]
    session: Any

    def client(self, service: str) -> Any:
        """Return a boto3 client with the caller's credentials."""
        return self.session.client(service)


def load(environment: str, project: str = PROJECT) -> Platform:
    """Return the platform of an environment, e.g. ``dev``; raises NotDeployed with the command that deploys it."""
    session = boto3.Session()
    name = f"/lake/{project}/{environment}"
    try:
        value = session.client("ssm").get_parameter(Name=name)["Parameter"]["Value"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ParameterNotFound":
            raise
        raise NotDeployed(f"there is no parameter {name}; deploy with 'make apply ENV={environment}'") from error
    return Platform(environment, json.loads(value), session)
