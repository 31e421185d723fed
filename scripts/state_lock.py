"""The lock of a Terraform state: who holds it, and since when.

Terraform takes both locks that backend.hcl names: the object <key>.tflock beside the state, and an item in the DynamoDB
table whose LockID is <bucket>/<key>. The item <bucket>/<key>-md5 is no lock: it is the checksum of the state.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError


@dataclass(frozen=True)
class StateLock:
    """One lock: ``place`` where it lies, and what Terraform wrote about the command that took it."""

    place: str
    id: str
    operation: str
    who: str
    created: datetime

    @property
    def age_seconds(self) -> float:
        """Since when it is held."""
        return (datetime.now(UTC) - self.created).total_seconds()

    def summary(self) -> str:
        """Return the lock's owner and start as a sentence."""
        minutes, seconds = divmod(int(self.age_seconds), 60)
        return (
            f"{self.place}: {self.operation} by {self.who} "
            f"since {self.created:%Y-%m-%d %H:%M:%S} UTC ({minutes} min {seconds} s), ID {self.id}"
        )


def locks(backend: Mapping[str, str], client: Callable[[str], Any]) -> list[StateLock]:
    """The locks on the state with the ``key`` of this backend, none when nobody works; ``client`` makes clients."""
    found = (_object(client("s3"), backend), _item(client("dynamodb"), backend))
    return [lock for lock in found if lock is not None]


def _object(s3: Any, backend: Mapping[str, str]) -> StateLock | None:
    key = f"{backend['key']}.tflock"
    try:
        body = s3.get_object(Bucket=backend["bucket"], Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return None
        raise
    return _lock(f"s3://{backend['bucket']}/{key}", body)


def _item(dynamodb: Any, backend: Mapping[str, str]) -> StateLock | None:
    table, identity = backend["dynamodb_table"], f"{backend['bucket']}/{backend['key']}"
    found = dynamodb.get_item(TableName=table, Key={"LockID": {"S": identity}}, ConsistentRead=True).get("Item")
    return _lock(f"{table}, LockID {identity}", found["Info"]["S"]) if found else None


def _lock(place: str, text: str | bytes) -> StateLock:
    about = json.loads(text)
    # Terraform writes nanoseconds, Python reads microseconds.
    created = datetime.fromisoformat(about["Created"].split(".")[0].rstrip("Z")).replace(tzinfo=UTC)
    return StateLock(place, about["ID"], about["Operation"], about["Who"], created)
