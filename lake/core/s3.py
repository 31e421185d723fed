"""The S3 calls of the data path. Every replacement of a unit is conditional on what was there before."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

logger = logging.getLogger(__name__)
RUN_METADATA = "run-id"
_ATTEMPTS_AT_A_CONFLICT = 5
Written = TypeVar("Written")


@dataclass(frozen=True)
class StoredObject:
    """One object as a listing shows it; ``etag`` without its quotes, ``size`` in bytes.

    ``version`` is None where the object as it stands is meant.
    """

    key: str
    etag: str
    size: int
    modified: datetime
    version: str | None = None


@dataclass(frozen=True)
class Location:
    """A place in S3: bucket, and a prefix that ends with a slash."""

    bucket: str
    prefix: str

    @staticmethod
    def parse(uri: str) -> "Location":
        """``s3://bucket/prefix/``; raises ValueError for anything else."""
        parts = urlsplit(uri)
        if parts.scheme != "s3" or not parts.netloc or not uri.endswith("/"):
            raise ValueError(f"'{uri}' is not a location: expected s3://bucket/prefix/")
        return Location(parts.netloc, parts.path.lstrip("/"))

    @property
    def uri(self) -> str:
        """The location as ``s3://bucket/prefix/``."""
        return f"s3://{self.bucket}/{self.prefix}"


class PreconditionFailed(Exception):
    """The object is not what the condition of the write said."""


class Storage:
    """S3 as the data path uses it; ``client`` is a boto3 S3 client."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def list(self, location: Location) -> Iterator[StoredObject]:
        """All objects below the location, by key; folder markers (empty keys that end with a slash) are none."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=location.bucket, Prefix=location.prefix)
        for page in pages:
            for entry in page.get("Contents", []):
                if not entry["Key"].endswith("/"):
                    yield _stored(entry)

    def versions(self, location: Location) -> Iterator[StoredObject]:
        """All versions of all objects below the location, those of one key newest first; delete markers are none."""
        pages = self._client.get_paginator("list_object_versions").paginate(
            Bucket=location.bucket, Prefix=location.prefix
        )
        for page in pages:
            for entry in page.get("Versions", []):
                if not entry["Key"].endswith("/"):
                    yield replace(_stored(entry), version=entry["VersionId"])

    def old_versions(self, location: Location) -> Iterator[StoredObject]:
        """All versions below the location that are not what their object is now; delete markers are none."""
        pages = self._client.get_paginator("list_object_versions").paginate(
            Bucket=location.bucket, Prefix=location.prefix
        )
        for page in pages:
            for entry in page.get("Versions", []):
                if not entry["IsLatest"]:
                    yield replace(_stored(entry), version=entry["VersionId"])

    def read(self, bucket: str, key: str, version: str | None = None) -> bytes:
        """The object's bytes."""
        body: bytes = self._client.get_object(**_named(bucket, key, version))["Body"].read()
        return body

    def put(self, bucket: str, key: str, body: bytes) -> None:
        """Store an object whose key and content belong together, so that a repetition changes nothing."""
        self._client.put_object(Bucket=bucket, Key=key, Body=body)

    def create(self, bucket: str, key: str, body: bytes) -> bool:
        """Store an object where there is none; False: there is one already, and it stays."""
        try:
            with _condition(key):
                _tried(lambda: self._client.put_object(Bucket=bucket, Key=key, Body=body, IfNoneMatch="*"))
        except PreconditionFailed:
            return False
        return True

    def rewrite(self, bucket: str, key: str, body: bytes, before: str | None, run_id: str) -> str:
        """Store other content where the ETag is ``before`` (None: no object), else PreconditionFailed; its ETag."""
        named = {"Bucket": bucket, "Key": key, "Body": body, "Metadata": {RUN_METADATA: run_id}}
        with _condition(key):
            answer = _tried(lambda: self._client.put_object(**named, **_unchanged(before)))
        return str(answer["ETag"]).strip('"')

    def remove(self, bucket: str, stored: StoredObject) -> None:
        """Delete this version for good.

        One by one: a request for many needs s3:DeleteObject too, which may hide what is not a version.
        """
        self._client.delete_object(Bucket=bucket, Key=stored.key, VersionId=stored.version)

    def etag(self, bucket: str, key: str) -> str | None:
        """The object's ETag; None when there is no object."""
        head = self._head(bucket, key)
        return None if head is None else str(head["ETag"]).strip('"')

    def written_by(self, bucket: str, key: str, version: str | None = None) -> str | None:
        """The run that wrote the object, from its metadata."""
        head = self._head(bucket, key, version)
        return None if head is None else head["Metadata"].get(RUN_METADATA)

    def replace(self, bucket: str, source: str, key: str, before: str | None, run_id: str) -> None:
        """Copy ``source`` over ``key`` if that has the ETag ``before`` (None: no object); else PreconditionFailed.

        In parts, because only CompleteMultipartUpload honours the condition of a server-side copy in every place.
        """
        _tried(lambda: self._copy(bucket, source, key, before, run_id))

    def _copy(self, bucket: str, source: str, key: str, before: str | None, run_id: str) -> None:
        upload = self._client.create_multipart_upload(Bucket=bucket, Key=key, Metadata={RUN_METADATA: run_id})
        named = {"Bucket": bucket, "Key": key, "UploadId": upload["UploadId"]}
        copied = self._client.upload_part_copy(**named, PartNumber=1, CopySource={"Bucket": bucket, "Key": source})
        parts = [{"PartNumber": 1, "ETag": copied["CopyPartResult"]["ETag"]}]
        try:
            with _condition(key):
                self._client.complete_multipart_upload(**named, **_unchanged(before), MultipartUpload={"Parts": parts})
        except (ClientError, PreconditionFailed):
            self._abort(named)
            raise

    def _abort(self, upload: Mapping[str, str]) -> None:
        """Forget the parts of an upload that was refused; what stays is swept by the bucket's lifecycle rule."""
        try:
            self._client.abort_multipart_upload(**upload)
        except ClientError as error:
            logger.warning("%s: an upload was not aborted: %s", upload["Key"], error)

    def _head(self, bucket: str, key: str, version: str | None = None) -> dict[str, Any] | None:
        try:
            head: dict[str, Any] = self._client.head_object(**_named(bucket, key, version))
        except ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchKey"):
                return None
            raise
        return head


def _unchanged(before: str | None) -> dict[str, str]:
    """The condition that the object has that ETag; None: that there is no object."""
    return {"IfNoneMatch": "*"} if before is None else {"IfMatch": before}


@contextmanager
def _condition(key: str) -> Iterator[None]:
    """Say PreconditionFailed where S3 refuses the conditional write inside because of what is under ``key``.

    ``If-Match`` on a key that has been deleted answers NoSuchKey; a repeated completion of an upload, NoSuchUpload.
    """
    try:
        yield
    except ClientError as error:
        if _status(error) == 412 or (_status(error) == 404 and _code(error) in ("NoSuchKey", "NoSuchUpload")):
            raise PreconditionFailed(key) from error
        raise


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
