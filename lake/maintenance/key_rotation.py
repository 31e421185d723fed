"""Write the first version of the pseudonym key, list the versions, and add one for event times from a moment on."""

import json
import secrets
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from lake.core.errors import LakeError
from lake.environment import inventory
from lake.environment.deployment import Platform
from lake.pseudonyms.keys import key_versions

# A reading may be an hour ahead of its arrival, and a run on its way has read the secret already.
_NOTICE = timedelta(hours=2)
_KEY_BYTES = 32
_ALWAYS = "1970-01-01T00:00:00Z"
_PENDING = "AWSPENDING"


class RotationRefused(LakeError):
    """The new version would change or remove tokens of present records."""


class FirstVersionExists(LakeError):
    """The secret has a version, and another first one would change all tokens."""


def begin(platform: Platform) -> list[dict[str, Any]]:
    """Write version 1, for all event times, into a secret that has no version yet; return the schedule.

    Reads no value, so whoever may write the secret need not be able to read it. Raises FirstVersionExists, also when
    somebody else has just written one.
    """
    client, name = platform.client("secretsmanager"), platform.names["pseudonym_key"]
    found = client.list_secret_version_ids(SecretId=name, IncludeDeprecated=True)
    if found["Versions"]:
        raise FirstVersionExists("the pseudonym key has a first version already; 'lake keys rotate' adds another")
    text = json.dumps({"versions": [{"version": 1, "valid_from": _ALWAYS, "key": secrets.token_hex(_KEY_BYTES)}]})
    # One token for each secret: of two first versions at once Secrets Manager takes one and refuses the other.
    token = str(uuid.uuid5(uuid.NAMESPACE_URL, found["ARN"]))
    try:
        client.put_secret_value(SecretId=name, SecretString=text, ClientRequestToken=token)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceExistsException":
            raise
        raise FirstVersionExists("somebody else has just written the first version of the pseudonym key") from error
    return _rows(text, inventory.now(platform))


def schedule(platform: Platform) -> list[dict[str, Any]]:
    """Return the versions of the key with their event times (UTC), without the keys."""
    return _rows(str(_secret(platform)["SecretString"]), inventory.now(platform))


def rotated(secret: str, valid_from: datetime, now: datetime, key: str) -> str:
    """Return the ``secret`` (JSON) with one more version, ``key``, in force from ``valid_from`` (UTC).

    Events of before keep their tokens, because the version follows the event time. It must be the last to start, and it
    must start later than ``now`` and than any event that may have a token: stations and forecasts may be ahead of time.
    Raises RotationRefused if it starts too early.
    """
    content: Mapping[str, Any] = json.loads(secret)
    last = max(key_versions(secret), key=lambda version: version.valid_from)
    if valid_from < now + _NOTICE:
        raise RotationRefused(
            f"{valid_from:%Y-%m-%d %H:%M} is no time for a new key: events from then on may have tokens already, or "
            f"get them from a run on its way; the earliest is {now + _NOTICE:%Y-%m-%d %H:%M} UTC"
        )
    if valid_from <= last.valid_from:
        raise RotationRefused(f"version {last.version} starts later, on {last.valid_from:%Y-%m-%d %H:%M} UTC already")
    version = max(entry["version"] for entry in content["versions"]) + 1
    added = {"version": version, "valid_from": valid_from.strftime("%Y-%m-%dT%H:%M:%SZ"), "key": key}
    return json.dumps({**content, "versions": [*content["versions"], added]})


def rotate(platform: Platform, valid_from: datetime, store: bool) -> list[dict[str, Any]]:
    """Return the schedule with one more version from ``valid_from`` (UTC); with ``store`` it is put in the secret.

    Raises RotationRefused if it starts too early, also when somebody has changed the secret meanwhile.
    """
    before, now = _secret(platform), inventory.now(platform)
    text = rotated(before["SecretString"], valid_from, now, secrets.token_hex(_KEY_BYTES))
    if store:
        _store(platform, text, str(before["VersionId"]))
    return _rows(text, now)


def _store(platform: Platform, text: str, before: str) -> None:
    """Make the text the current version if that is still ``before``; raises RotationRefused.

    A put alone would take the place of whatever is there: the version waits under another label, and moving the label
    AWSCURRENT away from ``before`` is the compare-and-set that Secrets Manager has.
    """
    client, name = platform.client("secretsmanager"), platform.names["pseudonym_key"]
    added = client.put_secret_value(SecretId=name, SecretString=text, VersionStages=[_PENDING])["VersionId"]
    try:
        client.update_secret_version_stage(
            SecretId=name, VersionStage="AWSCURRENT", MoveToVersionId=added, RemoveFromVersionId=before
        )
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("InvalidParameterException", "ResourceNotFoundException"):
            raise
        raise RotationRefused(
            "somebody else has just changed the secret; look at 'lake keys list', then try again"
        ) from error


def _secret(platform: Platform) -> dict[str, Any]:
    found: dict[str, Any] = platform.client("secretsmanager").get_secret_value(SecretId=platform.names["pseudonym_key"])
    return found


def _rows(secret: str, now: datetime) -> list[dict[str, Any]]:
    return [
        {
            "version": key.version,
            "valid from": f"{key.valid_from:%Y-%m-%d %H:%M:%S}",
            "valid until": f"{key.valid_until:%Y-%m-%d %H:%M:%S}" if key.valid_until.year < 9999 else "",
            "state": _state(key.valid_from, key.valid_until, now),
        }
        for key in key_versions(secret)
    ]


def _state(valid_from: datetime, valid_until: datetime, now: datetime) -> str:
    if now < valid_from:
        return "waits"
    return "in force" if now < valid_until else "for old events"
