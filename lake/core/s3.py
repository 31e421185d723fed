"""S3 calls of the data path. Each replacement of a partition file is conditional on the ETag that was read."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any, TypeVar
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

RUN_METADATA = "run-id"
_ATTEMPTS_AT_A_CONFLICT = 5
_LAST_FOLDERS = 3
Written = TypeVar("Written")


@dataclass(frozen=True)
class StoredObject:
    """One object of a listing; ``etag`` without quotes, ``size`` in bytes.

    ``version`` is the version id, or None for the current version.
    """

    key: str
    etag: str
    size: int
    modified: datetime
    version: str | None = None


@dataclass(frozen=True)
class Suspect(StoredObject):
    """An object that several runs have begun to read, of which none has come to an end."""


@dataclass(frozen=True)
class Location:
    """A place in S3: bucket, and a prefix that ends with a slash, or the whole bucket.

    Raises ValueError for any other prefix: S3 takes it for text, so ``raw/paris`` would hold ``raw/paris_sud/`` too.
    """

    bucket: str
    prefix: str

    def __post_init__(self) -> None:
        """Refuse what is no folder."""
        if self.prefix and not self.prefix.endswith("/"):
            raise ValueError(f"'{self.prefix}' is not a folder of s3://{self.bucket}: it does not end with a slash")

    @staticmethod
    def parse(uri: str) -> "Location":
        """Return the location of ``s3://bucket/prefix/``; raises ValueError for any other form."""
        parts = urlsplit(uri)
        if parts.scheme != "s3" or not parts.netloc or not uri.endswith("/"):
            raise ValueError(f"'{uri}' is not a location: expected s3://bucket/prefix/")
        return Location(parts.netloc, parts.path.lstrip("/"))

    @property
    def uri(self) -> str:
        """Return the location as ``s3://bucket/prefix/``."""
        return f"s3://{self.bucket}/{self.prefix}"


class PreconditionFailed(Exception):
    """The object does not have the state that the conditional write expected."""


class SourceGone(Exception):
    """There is nothing under the key that is to be copied."""


class Storage:
    """S3 as the data path uses it; ``client`` is a boto3 S3 client."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def list(self, location: Location) -> Iterator[StoredObject]:
        """Yield all objects below the location, ordered by key. Skips folder markers (keys that end with a slash)."""
        return self.list_named(location, "")

    def list_named(self, location: Location, beginning: str) -> Iterator[StoredObject]:
        """Yield what ``list`` yields, if its key goes on with ``beginning``.

        That is text and no folder: ``paris`` finds what is called ``paris_sud`` too.
        """
        prefix = f"{location.prefix}{beginning}"
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=location.bucket, Prefix=prefix)
        for page in pages:
            for entry in page.get("Contents", []):
                if not entry["Key"].endswith("/"):
                    yield _stored(entry)

    def newest_of_last_folders(self, location: Location) -> datetime | None:
        """Return when the newest object of the last folders was stored; None without objects.

        Folders are days, so the newest data is there. A correction of an old day does not make a dataset fresh, and of
        several last folders one for a day to come does not hide the others.
        """
        pages = self._folder(location)
        while folders := [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", [])]:
            last = sorted(folders)[-_LAST_FOLDERS:]
            pages = tuple(page for folder in last for page in self._folder(Location(location.bucket, folder)))
        return max((entry["LastModified"] for page in pages for entry in page.get("Contents", [])), default=None)

    def _folder(self, location: Location) -> tuple[dict[str, Any], ...]:
        """Return the pages that list one folder: its objects, and the folders in it."""
        paginator = self._client.get_paginator("list_objects_v2")
        return tuple(paginator.paginate(Bucket=location.bucket, Prefix=location.prefix, Delimiter="/"))

    def versions(self, location: Location) -> Iterator[StoredObject]:
        """Yield all object versions below the location, newest first for each key. Skips delete markers."""
        pages = self._client.get_paginator("list_object_versions").paginate(
            Bucket=location.bucket, Prefix=location.prefix
        )
        for page in pages:
            for entry in page.get("Versions", []):
                if not entry["Key"].endswith("/"):
                    yield replace(_stored(entry), version=entry["VersionId"])

    def versions_of(self, bucket: str, key: str) -> tuple[StoredObject, ...]:
        """Return the versions of one object, newest first. Skips delete markers."""
        pages = self._client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key)
        return tuple(
            replace(_stored(entry), version=entry["VersionId"])
            for page in pages
            for entry in page.get("Versions", [])
            if entry["Key"] == key  # S3 lists all keys that begin so
        )

    def old_versions(self, location: Location) -> Iterator[StoredObject]:
        """Yield all noncurrent object versions below the location. Skips delete markers."""
        pages = self._client.get_paginator("list_object_versions").paginate(
            Bucket=location.bucket, Prefix=location.prefix
        )
        for page in pages:
            for entry in page.get("Versions", []):
                if not entry["IsLatest"]:
                    yield replace(_stored(entry), version=entry["VersionId"])

    def read(self, bucket: str, key: str, version: str | None = None) -> bytes:
        """Return the object's bytes, of ``version`` if one is given.

        Raises ClientError when there is no such object or version.
        """
        body: bytes = self._client.get_object(**_named(bucket, key, version))["Body"].read()
        return body

    def current(self, bucket: str, key: str) -> tuple[str | None, bytes | None]:
        """Return ETag (without quotes) and bytes of the object as it is now; (None, None) when there is none."""
        try:
            answer = self._client.get_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if _code(error) == "NoSuchKey":
                return None, None
            raise
        return str(answer["ETag"]).strip('"'), answer["Body"].read()

    def put(self, bucket: str, key: str, body: bytes) -> None:
        """Store an object whose key determines its content, so that a retry changes nothing."""
        self._client.put_object(Bucket=bucket, Key=key, Body=body)

    def create(self, bucket: str, key: str, body: bytes, content_type: str = "binary/octet-stream") -> bool:
        """Store an object where there is none; returns False when there is one already, which stays as it is."""
        put = {"Bucket": bucket, "Key": key, "Body": body, "ContentType": content_type}
        try:
            with _condition(key):
                _tried(lambda: self._client.put_object(**put, **_unchanged(None)))
        except PreconditionFailed:
            return False
        return True

    def rewrite(self, bucket: str, key: str, body: bytes, before: str | None, run_id: str) -> str:
        """Overwrite the object if its ETag is ``before`` (None: no object); returns the new ETag, without quotes.

        The metadata of the object names ``run_id`` as its writer. Raises PreconditionFailed when the object has another
        ETag.
        """
        named = {"Bucket": bucket, "Key": key, "Body": body, "Metadata": {RUN_METADATA: run_id}}
        with _condition(key):
            answer = _tried(lambda: self._client.put_object(**named, **_unchanged(before)))
        return str(answer["ETag"]).strip('"')

    def remove(self, bucket: str, stored: StoredObject) -> None:
        """Delete one object version permanently.

        A batch request would also need s3:DeleteObject, which lets its holder hide any object.
        """
        self._client.delete_object(Bucket=bucket, Key=stored.key, VersionId=stored.version)

    def etag(self, bucket: str, key: str) -> str | None:
        """Return the object's ETag, or None when the object does not exist."""
        head = self._head(bucket, key)
        return None if head is None else str(head["ETag"]).strip('"')

    def written_by(self, bucket: str, key: str, version: str | None = None) -> str | None:
        """Return the id of the run that wrote the object, from its metadata; None when unknown."""
        head = self._head(bucket, key, version)
        return None if head is None else head["Metadata"].get(RUN_METADATA)

    def replace(self, bucket: str, source: str, key: str, before: str | None, run_id: str) -> None:
        """Copy ``source`` over ``key`` if that has the ETag ``before`` (None: no object).

        Both are keys of ``bucket``; the metadata of the copy names ``run_id`` as its writer. Raises PreconditionFailed
        when the object has another ETag, SourceGone when there is no ``source``.
        """
        copy = {"Bucket": bucket, "Key": key, "CopySource": {"Bucket": bucket, "Key": source}}
        metadata = {"MetadataDirective": "REPLACE", "Metadata": {RUN_METADATA: run_id}}
        try:
            _tried(lambda: self._client.copy_object(**copy, **metadata, **_unchanged(before)))
        except ClientError as error:
            # S3 answers NoSuchKey for either of the two keys.
            if _is_changed(error) and (_status(error) == 412 or (before and self.etag(bucket, source))):
                raise PreconditionFailed(key) from error
            if _status(error) == 404 and _code(error) == "NoSuchKey":
                raise SourceGone(source) from error
            raise

    def _head(self, bucket: str, key: str, version: str | None = None) -> dict[str, Any] | None:
        try:
            head: dict[str, Any] = self._client.head_object(**_named(bucket, key, version))
        except ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchKey"):
                return None
            raise
        return head


@cache
def storage_of_process() -> Storage:
    """Return the S3 client of a task's process: creating one takes longer than reading a small object."""
    import boto3

    return Storage(boto3.client("s3"))


def _unchanged(before: str | None) -> dict[str, str]:
    """The condition that the object has that ETag; None: that there is no object."""
    return {"IfNoneMatch": "*"} if before is None else {"IfMatch": before}


@contextmanager
def _condition(key: str) -> Iterator[None]:
    """Raise PreconditionFailed where S3 refuses the conditional write inside because of what is under ``key``."""
    try:
        yield
    except ClientError as error:
        if _is_changed(error):
            raise PreconditionFailed(key) from error
        raise


def _is_changed(error: ClientError) -> bool:
    """Return True if a condition does not hold; If-Match on a key that has been deleted answers NoSuchKey."""
    return _status(error) == 412 or (_status(error) == 404 and _code(error) == "NoSuchKey")


def _tried(write: Callable[[], Written]) -> Written:
    """Do a conditional write; while a concurrent one is under way (409), the same again meets its outcome."""
    for _ in range(_ATTEMPTS_AT_A_CONFLICT - 1):
        try:
            return write()
        except ClientError as error:
            if _status(error) != 409:
                raise
    return write()


def _status(error: ClientError) -> int:
    return int(error.response["ResponseMetadata"]["HTTPStatusCode"])


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")


def _stored(entry: dict[str, Any]) -> StoredObject:
    return StoredObject(entry["Key"], entry["ETag"].strip('"'), entry["Size"], entry["LastModified"])


def _named(bucket: str, key: str, version: str | None) -> dict[str, str]:
    named = {"Bucket": bucket, "Key": key}
    return named if version is None else {**named, "VersionId": version}
