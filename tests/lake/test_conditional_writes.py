"""Writes on a condition: what S3 may answer them, and what becomes of it."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lake.core.s3 import PreconditionFailed, SourceGone, Storage
from lake.environment.deployment import Platform
from lake.maintenance import quarantined_record

CONFLICT = (409, "ConditionalRequestConflict")
CHANGED = (412, "PreconditionFailed")
DELETED = (404, "NoSuchKey")


class S3:
    """A client that answers the calls of one operation with these errors, one a call, and all others well."""

    def __init__(self, operation: str, *errors: tuple[int, str]) -> None:
        self.operation, self.errors, self.calls = operation, list(errors), 0

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda **_request: self._answer(name)

    def _answer(self, name: str) -> Any:
        if name == self.operation:
            self.calls += 1
            if self.errors:
                status, code = self.errors.pop(0)
                answer: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
                raise ClientError(answer, name)
        return {"ETag": '"new"'}


class S3Without(S3):
    """The same; under one key there is no object."""

    def __init__(self, missing: str, operation: str, *errors: tuple[int, str]) -> None:
        super().__init__(operation, *errors)
        self.missing = missing

    def head_object(self, Bucket: str, Key: str) -> Any:  # noqa: N803 - as boto3 has it
        if Key == self.missing:
            answer: Any = {"Error": {"Code": "404"}, "ResponseMetadata": {"HTTPStatusCode": 404}}
            raise ClientError(answer, "HeadObject")
        return {"ETag": f'"{Bucket}"'}


class Listing:
    """A client whose bucket has these keys, each in two versions."""

    def __init__(self, *keys: str) -> None:
        self.keys = keys

    def get_paginator(self, _operation: str) -> Any:
        return SimpleNamespace(paginate=self._pages)

    def _pages(self, Bucket: str, Prefix: str) -> Any:  # noqa: N803 - as boto3 has it
        entry = {"ETag": '"e"', "Size": 1, "LastModified": None, "Bucket": Bucket}
        found = [key for key in self.keys if key.startswith(Prefix)]
        yield {"Versions": [{**entry, "Key": key, "VersionId": number} for key in found for number in ("2", "1")]}


def test_the_versions_of_an_object_are_not_those_of_one_whose_key_begins_alike() -> None:
    storage = Storage(Listing("date=1/00.parquet", "date=1/00.parquet.bak", "date=1/00.parquet/x"))
    found = storage.versions_of("bucket", "date=1/00.parquet")
    assert [(entry.key, entry.version) for entry in found] == [("date=1/00.parquet", "2"), ("date=1/00.parquet", "1")]


def replace(client: S3) -> None:
    Storage(client).replace("bucket", "staged", "key", "before", "run")


def rewrite(client: S3) -> None:
    Storage(client).rewrite("bucket", "key", b"", "before", "run")


def create(client: S3) -> bool:
    return Storage(client).create("bucket", "key", b"")


WRITES = [(replace, "copy_object"), (rewrite, "put_object")]


@pytest.mark.parametrize("error", [CHANGED, DELETED])
@pytest.mark.parametrize(("write", "operation"), WRITES)
def test_an_object_that_is_another_one_or_gone_fails_the_precondition(
    write: Callable[[S3], None], operation: str, error: tuple[int, str]
) -> None:
    with pytest.raises(PreconditionFailed, match="key"):
        write(S3(operation, error))


@pytest.mark.parametrize(("write", "operation"), [*WRITES, (create, "put_object")])
def test_a_conflict_with_a_concurrent_write_is_tried_again(write: Callable[[S3], None], operation: str) -> None:
    client = S3(operation, CONFLICT, CONFLICT)
    write(client)
    assert client.calls == 3


@pytest.mark.parametrize(("write", "operation"), [*WRITES, (create, "put_object")])
def test_a_conflict_that_does_not_end_is_an_error(write: Callable[[S3], None], operation: str) -> None:
    with pytest.raises(ClientError, match="ConditionalRequestConflict"):
        write(S3(operation, *[CONFLICT] * 9))


@pytest.mark.parametrize(("write", "operation"), [*WRITES, (create, "put_object")])
@pytest.mark.parametrize("error", [(403, "AccessDenied"), (404, "NoSuchBucket")])
def test_any_other_error_is_what_it_is(write: Callable[[S3], None], operation: str, error: tuple[int, str]) -> None:
    with pytest.raises(ClientError, match=error[1]):
        write(S3(operation, error))


def test_staged_content_that_is_gone_is_not_taken_for_a_stranger_s_write() -> None:
    with pytest.raises(SourceGone, match="staged"):
        replace(S3Without("staged", "copy_object", DELETED))
    with pytest.raises(SourceGone, match="staged"):
        Storage(S3("copy_object", DELETED)).replace("bucket", "staged", "key", None, "run")


def test_what_is_created_says_whether_it_was_there() -> None:
    assert create(S3("put_object"))
    assert not create(S3("put_object", CHANGED))


@pytest.mark.parametrize("errors", [[CONFLICT], [CONFLICT, CHANGED]])
def test_a_correction_that_meets_another_put_of_itself_is_stored(errors: list[tuple[int, str]]) -> None:
    client = S3("put_object", *errors)
    platform = Platform("dev", {"lake_bucket": "bucket"}, SimpleNamespace(client=lambda _service: client))
    quarantined_record.put(platform, "raw/fixed.json", b"{}")
    assert client.errors == []
