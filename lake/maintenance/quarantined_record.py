"""Find, decrypt (with an audit) and correct one quarantined record on the operator's machine."""

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyarrow import parquet

from lake.contract import model
from lake.core.errors import LakeError
from lake.core.s3 import Location, Storage
from lake.environment import inventory
from lake.environment.deployment import Platform
from lake.pseudonyms import encryption, keys
from lake.records.reference import Reference
from lake.runs import audits


class NoSuchRecord(LakeError):
    """The quarantine table does not have that record."""


class NotCorrected(LakeError):
    """The corrected record is no JSON object."""


@dataclass(frozen=True)
class Rejected:
    """A row of the quarantine of ``dataset``; ``fields`` are its columns."""

    dataset: str
    fields: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Return the record's name in commands."""
        return str(Reference(self.fields["source_object"], self.fields["source_line"]))


def find(platform: Platform, dataset: str, record: Reference) -> Rejected:
    """Return the record, the latest if its object was stored several times; raises NoSuchRecord."""
    location = Location(platform.names["lake_bucket"], f"{model.load(dataset).quarantine().path}/")
    storage = Storage(platform.client("s3"))
    wanted = [("source_object", "=", record.source_object), ("source_line", "=", record.line)]
    rows: list[dict[str, Any]] = []
    for entry in storage.list(location):
        body = io.BytesIO(storage.read(location.bucket, entry.key))
        rows += parquet.read_table(body, filters=wanted, partitioning=None).to_pylist()
    if not rows:
        raise NoSuchRecord(f"{record} is not in the quarantine of {dataset}; see 'lake quarantine list'")
    return Rejected(dataset, max(rows, key=lambda row: row["arrived_at"]))


def decrypted(platform: Platform, record: Rejected, by: str) -> bytes:
    """Return the decrypted record, after writing an audit that names the caller, ``by`` (an IAM ARN).

    Raises NotDecrypted when no key in the secret decrypts it.
    """
    storage, at = Storage(platform.client("s3")), inventory.now(platform)
    said = {"record": record.name, "by": by}
    audits.write(storage, platform.names["lake_bucket"], record.dataset, "decrypted", at, said)
    encrypted, version = record.fields["encrypted_payload"], record.fields["key_version"]
    return encryption.decrypted(record.dataset, versions(platform), version, encrypted)


def versions(platform: Platform) -> tuple[keys.KeyVersion, ...]:
    """Return the versions of the pseudonym key; needs the right to read the secret."""
    secret = platform.client("secretsmanager").get_secret_value(SecretId=platform.names["pseudonym_key"])
    return keys.key_versions(secret["SecretString"])


def corrected(payload: bytes, changes: Mapping[str, Any]) -> bytes:
    """Return the record with these fields changed (None: null); raises NotCorrected when it is no JSON object."""
    try:
        record = json.loads(payload)
    except ValueError as error:
        raise NotCorrected("the record is no JSON; give the whole record with --payload FILE") from error
    if not isinstance(record, dict):
        raise NotCorrected("the record is no JSON object; give the whole record with --payload FILE")
    return json.dumps({**record, **changes}, ensure_ascii=False).encode()


def encrypted_for_job(platform: Platform, record: Rejected, payload: bytes) -> dict[str, Any]:
    """Return the payload encrypted, as arguments of the job: ``encrypted_payload`` and ``key_version``.

    Arguments of jobs are logged, so the payload must not be in clear. The key version is the record's.
    """
    version = record.fields["key_version"]
    return {
        "key_version": version,
        "encrypted_payload": encryption.encrypted(record.dataset, versions(platform), version, payload),
    }


def fixed_key(record: Rejected, payload: bytes) -> str:
    """Return the raw key of a correction: beside the rejected object, named by a hash of record and correction."""
    folder = str(record.fields["source_object"]).rpartition("/")[0]
    return f"{folder}/fixed-{hashlib.sha256(record.name.encode() + b' ' + payload).hexdigest()[:32]}.json"


def put(platform: Platform, key: str, payload: bytes) -> None:
    """Store the correction in the lake's bucket; an object with that key is the same correction already, and stays."""
    Storage(platform.client("s3")).create(platform.names["lake_bucket"], key, payload + b"\n")
