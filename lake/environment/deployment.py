"""Where a deployed platform is: the names that Terraform gave, read from the parameter in which it leaves them."""

import json
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import ClientError

from lake.core.errors import LakeError

PROJECT = "aws-datalake-platform"


class NotDeployed(LakeError):
    """No platform of that name answers where the credentials point."""


@dataclass(frozen=True)
class Platform:
    """One deployed environment; ``names`` is Terraform's output object ``platform``."""

    environment: str
    names: dict[str, Any]
    session: Any

    def client(self, service: str) -> Any:
        """A boto3 client of the caller."""
        return self.session.client(service)


def load(environment: str, project: str = PROJECT) -> Platform:
    """The platform of an environment, e.g. dev; raises NotDeployed with what to do."""
    session = boto3.Session()
    name = f"/lake/{project}/{environment}"
    try:
        value = session.client("ssm").get_parameter(Name=name)["Parameter"]["Value"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ParameterNotFound":
            raise
        raise NotDeployed(f"there is no parameter {name}; deploy with 'make apply ENV={environment}'") from error
    return Platform(environment, json.loads(value), session)
