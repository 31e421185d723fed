"""Versions of the master key; derivation of subkeys and tokens without Spark.

Token: ``v<k>:<hex>`` with hex = HMAC-SHA-256(subkey, value), the subkey by HKDF-SHA-256 from master key k with the info
dataset/column/version.
"""

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime

_FAR = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class KeyVersion:
    """One version of the master key, in force for event times from ``valid_from`` until the next version's."""

    version: int
    valid_from: datetime
    valid_until: datetime
    key: bytes = field(repr=False)


def key_versions(secret: str) -> tuple[KeyVersion, ...]:
    """Return the versions in a secret ``{"versions": [{"version", "valid_from", "key"}]}``, oldest first.

    ``valid_from`` is ISO 8601. Raises ValueError when there are none.
    """
    entries = sorted(json.loads(secret)["versions"], key=lambda entry: entry["valid_from"])
    if not entries:
        raise ValueError("the secret holds no version of the pseudonym key")
    starts = [datetime.fromisoformat(entry["valid_from"]) for entry in entries]
    return tuple(
        KeyVersion(int(entry["version"]), start, end, entry["key"].encode())
        for entry, start, end in zip(entries, starts, [*starts[1:], _FAR], strict=True)
    )


def subkey(master: bytes, info: str, length: int = 32) -> bytes:
    """Derive a key of ``length`` bytes (at most 32): HKDF-SHA-256 (RFC 5869) of one block, without salt."""
    extracted = hmac.digest(bytes(hashlib.sha256().digest_size), master, "sha256")
    return hmac.digest(extracted, info.encode() + b"\x01", "sha256")[:length]


def column_key(version: KeyVersion, dataset: str, column: str) -> bytes:
    """Return the key under which the tokens of one column are made."""
    return subkey(version.key, f"{dataset}/{column}/{version.version}")


def token_under(key: bytes, version: int, value: str) -> str:
    """Return the token of one value under a ``column_key`` of that version."""
    return f"v{version}:{hmac.digest(key, value.encode(), 'sha256').hex()}"


def token(version: KeyVersion, dataset: str, column: str, value: str) -> str:
    """Return the token of one value of a column."""
    return token_under(column_key(version, dataset, column), version.version, value)


def encryption_key_of(dataset: str, versions: tuple[KeyVersion, ...], key_version: int) -> bytes:
    """Return the key (32 bytes) that encrypts a dataset's rejected records; raises KeyError for an unknown version."""
    masters = {key.version: key.key for key in versions}
    return subkey(masters[key_version], f"{dataset}/seal/{key_version}")
