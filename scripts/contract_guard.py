"""Refuse a contract that breaks the deployed one, before Terraform deploys it."""

from collections.abc import Mapping
from typing import Any

import yaml
from botocore.exceptions import ClientError

from lake.contract import compatibility, model
from lake.contract.model import Contract
from lake.core.s3 import Location, Storage
from lake.environment import deployment

DEPLOYED = "contracts/"
# S3 answers so before the platform was applied. Every other error may hide a deployed contract.
_NOT_THERE_YET = ("NoSuchBucket", "NoSuchKey")


def breaking_changes(environment: str) -> list[str]:
    """Return the breaking changes of this checkout's contracts, one sentence each; none when nothing is deployed."""
    try:
        found = deployment.load(environment)
    except deployment.NotDeployed:
        return []
    here = {loaded.name: loaded for loaded in map(model.read, model.files())}
    deployed = _deployed(found.client("s3"), found.names["lake_bucket"])
    return [breaking.summary() for breaking in compatibility.breaking_changes(deployed, here)]


def _deployed(client: Any, bucket: str) -> Mapping[str, Contract]:
    """The contracts that Terraform has left in the bucket; none while the bucket is not there."""
    bodies = {key: body for key in _keys(client, bucket) if (body := _body(client, bucket, key)) is not None}
    contracts = [model.parse(yaml.safe_load(body), key.rpartition("/")[2]) for key, body in bodies.items()]
    return {loaded.name: loaded for loaded in contracts}


def _keys(client: Any, bucket: str) -> list[str]:
    try:
        return [entry.key for entry in Storage(client).list(Location(bucket, DEPLOYED))]
    except ClientError as error:
        if error.response["Error"]["Code"] not in _NOT_THERE_YET:
            raise
        return []


def _body(client: Any, bucket: str, key: str) -> bytes | None:
    try:
        body: bytes = client.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] not in _NOT_THERE_YET:
            raise
        return None
    return body
