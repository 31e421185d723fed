"""Find a deployed platform: the resource names that Terraform writes to an SSM parameter."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import boto3
from botocore.exceptions import ClientError

from lake.core.errors import LakeError

PROJECT = "aws-datalake-platform"
# Which project is meant where nothing says so; `lake --project` sets it.
PROJECT_VARIABLE = "LAKE_PROJECT"


class NotDeployed(LakeError):
    """The account of the credentials has no platform of that environment."""


@dataclass(frozen=True)
class Platform:
    """One deployed environment.

    ``names`` is Terraform's output object ``platform``, ``pipelines`` that of each pipeline that is deployed on it.
    """

    environment: str
    names: dict[str, Any]
    session: Any
    pipelines: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def project(self) -> str:
        """Return the first part of the names of everything in it."""
        return str(self.names["project"])

    def client(self, service: str) -> Any:
        """Return a boto3 client with the caller's credentials."""
        return self.session.client(service)

    def job_arguments(self, job: str) -> dict[str, str]:
        """Return the arguments with which a Glue job runs when nobody gives others."""
        deployed = self.client("glue").get_job(JobName=job)["Job"]
        return {**deployed.get("DefaultArguments", {}), **deployed.get("NonOverridableArguments", {})}

    def part(self, kind: str, name: str | None = None, pipeline: str | None = None) -> str:
        """Return the full name of the one part that is meant; see the function of that name."""
        return part(self.pipelines, kind, name, pipeline)


class NotOne(LakeError):
    """None or several deployed parts fit where one is meant; the message says which there are."""


def project() -> str:
    """Return the project that LAKE_PROJECT names, else this repository's own."""
    return os.environ.get(PROJECT_VARIABLE) or PROJECT


def load(environment: str) -> Platform:
    """Return the platform of an environment, e.g. ``dev``; raises NotDeployed with the command that deploys it."""
    session = boto3.Session()
    name = f"/lake/{project()}/{environment}"
    try:
        value = session.client("ssm").get_parameter(Name=name)["Parameter"]["Value"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ParameterNotFound":
            raise
        raise NotDeployed(f"there is no parameter {name}; deploy with 'make apply ENV={environment}'") from error
    return Platform(environment, json.loads(value), session, registered(session.client("ssm"), f"{name}/pipelines"))


def load_as(environment: str, role: str) -> Platform:
    """Return the platform of an environment as a role of people sees it: ``key_role`` or ``repair_role``.

    The session has the caller's name, which CloudTrail keeps. Who has assumed the role already stays who he is. Raises
    NotDeployed.
    """
    platform = load(environment)
    arn, sts = platform.names[role], platform.client("sts")
    caller = sts.get_caller_identity()["Arn"]
    if f":assumed-role/{arn.rpartition('/')[2]}/" in caller:
        return platform
    name = re.sub(r"[^\w+=,.@-]", "-", caller.rpartition("/")[2])[:64]
    source = {"SourceIdentity": name} if platform.names["source_identity"] else {}
    made = sts.assume_role(RoleArn=arn, RoleSessionName=name, **source)["Credentials"]
    keys = (made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])
    return replace(platform, session=boto3.Session(*keys, region_name=platform.names["region"]))


def registered(client: Any, path: str) -> dict[str, dict[str, Any]]:
    """Return the registration of each pipeline below the SSM ``path``, by the pipeline's name."""
    pages = client.get_paginator("get_parameters_by_path").paginate(Path=path)
    found = {entry["Name"].rpartition("/")[2]: entry["Value"] for page in pages for entry in page["Parameters"]}
    return {name: json.loads(value) for name, value in sorted(found.items())}


def part(
    pipelines: Mapping[str, Mapping[str, Any]], kind: str, name: str | None = None, pipeline: str | None = None
) -> str:
    """Return the full name of a part that a pipeline has registered.

    ``kind`` is ``functions``, ``jobs``, ``operations`` or ``streams``, ``name`` the short name, e.g. ``transform``. Who
    leaves out name or pipeline gets the only one that there is. Raises NotOne with what there is.
    """
    there = [
        (owner, short, full)
        for owner, registered in pipelines.items()
        for short, full in registered.get(kind, {}).items()
    ]
    found = [full for owner, short, full in there if name in (None, short) and pipeline in (None, owner)]
    if len(found) == 1:
        return str(found[0])
    wanted = " ".join([kind, *([f"called {name}"] if name else []), *([f"of {pipeline}"] if pipeline else [])])
    known = ", ".join(f"{short} of {owner}" for owner, short, _ in there) or "none"
    raise NotOne(f"there are {len(found) or 'no'} {wanted} where one is meant; deployed {kind}: {known}")
