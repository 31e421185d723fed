"""``lake keys``: a rotation changes what is to come, never what was; nonsense is refused; no key is printed."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from lake.cli import application
from lake.cli import keys as command
from lake.environment.deployment import Platform
from lake.maintenance import key_rotation
from lake.maintenance.key_rotation import RotationRefused
from lake.pseudonyms import keys
from localaws import testing
from tests.place import SECRET, Place

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
# What `lake keys init` may do; nothing in it reads a value.
WRITER = ("secretsmanager:PutSecretValue", "secretsmanager:ListSecretVersionIds")


@pytest.fixture
def rotating(place: Place, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Platform:
    monkeypatch.setattr(command, "load_as", lambda _, role: {"key_role": platform}[role])
    monkeypatch.setattr("lake.environment.inventory.now", lambda _: NOW)
    return platform


def lake(*words: str) -> str:
    done = CliRunner().invoke(application.application, ["keys", *words])
    if done.exception is not None:
        raise done.exception
    return done.stdout


def stored(platform: Platform) -> str:
    client = platform.client("secretsmanager")
    return str(client.get_secret_value(SecretId=platform.names["pseudonym_key"])["SecretString"])


def test_a_rotation_is_shown_then_done_and_old_and_new_stand_side_by_side(rotating: Platform) -> None:
    seen = lake("rotate", "--from", "2026-11-21T12:00")
    assert (stored(rotating), "Nothing was changed" in seen) == (SECRET, True)
    lake("rotate", "--from", "2026-11-21T12:00", "--yes")
    rows = json.loads(lake("list", "--json"))
    assert [tuple(row.values()) for row in rows] == [
        (1, "1970-01-01 00:00:00", "2026-11-21 12:00:00", "in force"),
        (2, "2026-11-21 12:00:00", "", "waits"),
    ]
    old, new = keys.key_versions(stored(rotating))
    (first,) = keys.key_versions(SECRET)
    assert (old.key, old.version, len(new.key)) == (first.key, 1, 64)
    assert new.key.decode() not in seen + lake("list")
    assert keys.token(old, "d", "c", "x") == keys.token(first, "d", "c", "x") != keys.token(new, "d", "c", "x")


@pytest.mark.parametrize(
    ("valid_from", "refusal"),
    [
        (NOW - timedelta(days=1), "the earliest is 2026-11-20 14:00 UTC"),
        (NOW + timedelta(minutes=119), "is no time for a new key"),
        (LATER, "version 2 starts later"),
    ],
    ids=["past", "too soon", "before the last"],
)
def test_a_version_that_would_change_tokens_is_refused(valid_from: datetime, refusal: str) -> None:
    two = key_rotation.rotated(SECRET, LATER, NOW, "second")
    with pytest.raises(RotationRefused, match=refusal):
        key_rotation.rotated(two, valid_from, NOW, "third")


def test_who_changes_the_secret_meanwhile_is_not_overwritten(
    rotating: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:

    def meanwhile(secret: str, *_: Any) -> str:
        client = rotating.client("secretsmanager")
        client.put_secret_value(SecretId=rotating.names["pseudonym_key"], SecretString=secret + " ")
        return "ours"

    monkeypatch.setattr(key_rotation, "rotated", meanwhile)
    with pytest.raises(RotationRefused, match="somebody else has just changed the secret"):
        key_rotation.rotate(rotating, LATER, store=True)
    assert stored(rotating) == SECRET + " "


class Raced:
    """A client of Secrets Manager; somebody else's value is put right before ours."""

    def __init__(self, client: Any, value: str) -> None:
        self._client, self._value = client, value

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def put_secret_value(self, **request: Any) -> Any:
        self._client.put_secret_value(SecretId=request["SecretId"], SecretString=self._value)
        return self._client.put_secret_value(**request)


def test_who_changes_the_secret_in_the_last_moment_is_not_overwritten(
    rotating: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = key_rotation.rotated(SECRET, LATER, NOW, "theirs")
    clients = {"secretsmanager": Raced(rotating.client("secretsmanager"), theirs)}
    monkeypatch.setattr(Platform, "client", lambda _self, service: clients[service])
    with pytest.raises(RotationRefused, match="somebody else has just changed the secret"):
        key_rotation.rotate(rotating, LATER + timedelta(days=1), store=True)
    assert stored(rotating) == theirs


def test_a_rotation_after_one_that_was_refused_is_done(rotating: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = key_rotation.rotated(SECRET, LATER, NOW, "theirs")
    client = rotating.client("secretsmanager")
    with monkeypatch.context() as patch, pytest.raises(RotationRefused):
        patch.setattr(Platform, "client", lambda _self, _service: Raced(client, theirs))
        key_rotation.rotate(rotating, LATER + timedelta(days=1), store=True)
    key_rotation.rotate(rotating, LATER + timedelta(days=2), store=True)
    first, second, third = keys.key_versions(stored(rotating))
    assert (first.version, second.key, third.version) == (1, b"theirs", 3)


@pytest.fixture
def empty(rotating: Platform, place: Place) -> Platform:
    """The platform right after its apply: a secret without any version."""
    made = place.aws.client("secretsmanager").create_secret(Name=f"{place.bucket}-empty")
    return replace(rotating, names={**rotating.names, "pseudonym_key": made["ARN"]})


def test_the_first_version_is_for_all_events_and_is_written_once(
    empty: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "load", lambda _: empty)
    said = lake("init")
    (first,) = keys.key_versions(stored(empty))
    assert (first.version, first.valid_from.year, len(first.key), first.key.decode() in said) == (1, 1970, 64, False)
    with pytest.raises(key_rotation.FirstVersionExists, match="has a first version already"):
        lake("init")
    assert keys.key_versions(stored(empty)) == (first,)


def test_who_begins_needs_no_right_to_read(empty: Platform, place: Place) -> None:
    secret = empty.names["pseudonym_key"]
    aws = testing.LocalAws(place.aws.home, place.aws.port, place.aws.environment)
    writer = aws.client("secretsmanager", aws.as_role(aws.role(f"{place.bucket[:40]}-writer", {"Action": WRITER})))
    with pytest.raises(writer.exceptions.ClientError, match="not authorized to perform: secretsmanager:GetSecretValue"):
        writer.get_secret_value(SecretId=secret)
    key_rotation.begin(
        replace(
            empty,
            session=SimpleNamespace(
                client=lambda service: writer if service == "secretsmanager" else aws.client(service)
            ),
        )
    )
    assert len(keys.key_versions(stored(empty))) == 1


def test_of_two_first_versions_at_once_one_stays(empty: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    client = empty.client("secretsmanager")
    blind = SimpleNamespace(
        list_secret_version_ids=lambda **request: {**client.list_secret_version_ids(**request), "Versions": []},
        put_secret_value=client.put_secret_value,
    )
    key_rotation.begin(empty)
    before = stored(empty)
    with pytest.raises(key_rotation.FirstVersionExists, match="somebody else has just written"):
        key_rotation.begin(replace(empty, session=SimpleNamespace(client=lambda _: blind)))
    assert stored(empty) == before
