"""Commands as somebody types them, with the job's work done in this process."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from lake.command import backfill, orders, quarantine
from lake.job import Job, Order
from lake.platform import Platform
from tests.place import SECRET, TARGET, Place


@pytest.fixture
def platform(place: Place) -> Platform:
    """The place, as a deployed platform."""
    secret = place.aws.client("secretsmanager").create_secret(Name=place.bucket, SecretString=SECRET)
    names = {"lake_bucket": place.bucket, "ledger": place.bucket, "pseudonym_key": secret["ARN"]}
    return Platform("dev", names, SimpleNamespace(client=place.aws.client))


@pytest.fixture
def commanded(place: Place, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Place:
    """The place, which commands find; what they start is done at once."""

    def run(_platform: Platform, dataset: str, operation: str, arguments: dict[str, Any]) -> datetime:
        started = datetime.now(UTC)
        job = Job(place.lake, Order(operation, {"dataset": dataset, "by": "arn:aws:iam::1:role/r", **arguments}))
        job.run(TARGET.name, place.transformation)
        job.finish()
        return started

    for module in (quarantine, backfill):
        monkeypatch.setattr(module, "load", lambda _: platform)
    monkeypatch.setattr(orders, "_run", run)
    return place
