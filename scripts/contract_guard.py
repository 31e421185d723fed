"""Refuse a contract that breaks the deployed one, before Terraform deploys it."""

from collections.abc import Mapping
from typing import Any

import yaml

from lake.contract import compatibility, model
from lake.contract.model import Contract
from lake.environment import deployment

DEPLOYED = "contracts/"


def breaches(environment: str) -> list[str]:
    """Return the breaking changes of this checkout's contracts, one sentence each; none when nothing is deployed."""
    try:
        found = deployment.load(environment)
    except deployment.NotDeployed:
        return []
    here = {loaded.name: loaded for loaded in map(model.read, model.files())}
    deployed = _deployed(found.client("s3"), found.names["lake_bucket"])
    return [breach.sentence() for breach in compatibility.breaches(deployed, here)]


def _deployed(client: Any, bucket: str) -> Mapping[str, Contract]:
    """The contracts that Terraform has left in the bucket; none for a platform of before it did."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=DEPLOYED)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    bodies = {key: client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}
    contracts = [model.parse(yaml.safe_load(body), key.rpartition("/")[2]) for key, body in bodies.items()]
    return {loaded.name: loaded for loaded in contracts}
