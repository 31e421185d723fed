"""The versions of the master key, and what is made of them without Spark: subkeys and tokens.

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
    """The versions in a secret ``{"versions": [{"version", "valid_from", "key"}]}``; raises ValueError when none."""
    entries = sorted(json.loads(secret)["versions"], key=lambda entry: entry["valid_from"])
    if not entries:
        raise ValueError("the secret holds no version of the pseudonym key")
    starts = [datetime.fromisoformat(entry["valid_from"]) for entry in entries]
    return tuple(
        KeyVersion(int(entry["version"]), start, end, entry["key"].encode())
        for entry, start, end in zip(entries, starts, [*starts[1:], _FAR], strict=True)
    )


def subkey(master: bytes, info: str, length: int = 32) -> bytes:
    """HKDF-SHA-256 (RFC 5869) of one block, without salt."""
    extracted = hmac.digest(bytes(hashlib.sha256().digest_size), master, "sha256")
    return hmac.digest(extracted, info.encode() + b"\x01", "sha256")[:length]


def token(version: KeyVersion, dataset: str, column: str, value: str) -> str:
    """The token of one value, as the Spark expressions below compute it."""
    key = subkey(version.key, f"{dataset}/{column}/{version.version}")
    return f"v{version.version}:{hmac.digest(key, value.encode(), 'sha256').hex()}"


def seal_of(dataset: str, versions: tuple[KeyVersion, ...], key_version: int) -> bytes:
    """The key that seals a dataset's rejected records under a version; raises KeyError when there is none."""
    masters = {key.version: key.key for key in versions}
    return subkey(masters[key_version], f"{dataset}/seal/{key_version}")
