"""Decrypt quarantined records on the operator's machine, and encrypt arguments for the job.

AES-256-GCM as Spark's ``aes_encrypt`` writes it: nonce of 12 bytes, ciphertext, tag; in base64.
"""

import base64
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lake.core.errors import LakeError
from lake.pseudonyms.keys import KeyVersion, encryption_key_of

_NONCE_BYTES = 12


class NotDecrypted(LakeError):
    """No key in the secret decrypts the record."""


def decrypted(dataset: str, versions: tuple[KeyVersion, ...], key_version: int, encrypted_payload: str) -> bytes:
    """Return the decrypted record; raises NotDecrypted when the key is missing or wrong.

    ``encrypted_payload`` is base64. ``versions`` are those of the secret, ``key_version`` the one that encrypted it.
    """
    body = base64.b64decode(encrypted_payload)
    try:
        key = encryption_key_of(dataset, versions, key_version)
        return AESGCM(key).decrypt(body[:_NONCE_BYTES], body[_NONCE_BYTES:], None)
    except (KeyError, InvalidTag) as error:
        raise NotDecrypted(f"{dataset}: no key of version {key_version} in the secret decrypts this record") from error


def encrypted(dataset: str, versions: tuple[KeyVersion, ...], key_version: int, payload: bytes) -> str:
    """Return the record, encrypted under that key version, as base64; raises KeyError for an unknown version."""
    nonce = os.urandom(_NONCE_BYTES)
    box = nonce + AESGCM(encryption_key_of(dataset, versions, key_version)).encrypt(nonce, payload, None)
    return base64.b64encode(box).decode()
