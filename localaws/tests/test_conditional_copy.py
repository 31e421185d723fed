"""CopyObject on a condition of its destination, as S3 answers it."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.testing import LocalAws

BUCKET = "copies"
NOTHING_THERE = {"IfNoneMatch": "*"}


@pytest.fixture
def s3(aws: LocalAws) -> Any:
    """A client, and a bucket with the object ``source``, nothing else."""
    client = aws.client("s3")
    client.create_bucket(Bucket=BUCKET)
    for entry in client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        client.delete_object(Bucket=BUCKET, Key=entry["Key"])
    client.put_object(Bucket=BUCKET, Key="source", Body=b"new")
    return client


def copy(s3: Any, **condition: str) -> None:
    s3.copy_object(Bucket=BUCKET, Key="target", CopySource=f"{BUCKET}/source", **condition)


def put(s3: Any, body: bytes) -> str:
    return str(s3.put_object(Bucket=BUCKET, Key="target", Body=body)["ETag"])


def content(s3: Any) -> bytes:
    return bytes(s3.get_object(Bucket=BUCKET, Key="target")["Body"].read())


def refused(s3: Any, **condition: str) -> tuple[int, str]:
    """Status and code of the error that the copy answers."""
    with pytest.raises(ClientError) as error:
        copy(s3, **condition)
    answer = error.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def test_a_copy_to_a_key_without_object_is_done_once(s3: Any) -> None:
    copy(s3, **NOTHING_THERE)
    assert content(s3) == b"new"
    assert refused(s3, **NOTHING_THERE) == (412, "PreconditionFailed")


def test_a_copy_over_another_object_than_was_read_changes_nothing(s3: Any) -> None:
    read = put(s3, b"old")
    put(s3, b"a stranger's")
    assert refused(s3, IfMatch=read) == (412, "PreconditionFailed")
    assert refused(s3, **NOTHING_THERE) == (412, "PreconditionFailed")
    assert content(s3) == b"a stranger's"


@pytest.mark.parametrize("quotes", ['"', ""])
def test_a_copy_over_the_object_that_was_read_is_done(s3: Any, quotes: str) -> None:
    copy(s3, IfMatch=put(s3, b"old").strip('"').join((quotes, quotes)))
    assert content(s3) == b"new"


def test_an_etag_that_is_wanted_where_no_object_is_answers_404(s3: Any) -> None:
    read = put(s3, b"old")
    s3.delete_object(Bucket=BUCKET, Key="target")
    assert refused(s3, IfMatch=read) == (404, "NoSuchKey")


def test_a_missing_source_is_the_answer_whatever_the_condition(s3: Any) -> None:
    read = put(s3, b"old")
    s3.delete_object(Bucket=BUCKET, Key="source")
    assert refused(s3, **NOTHING_THERE) == refused(s3, IfMatch="another") == refused(s3, IfMatch=read)
    assert refused(s3, IfMatch=read) == (404, "NoSuchKey")


def test_the_condition_holds_for_a_copy_of_an_old_version_too(s3: Any) -> None:
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=BUCKET, Key="source", Body=b"an old version")["VersionId"]
    s3.delete_object(Bucket=BUCKET, Key="source")
    read = put(s3, b"old")
    source = {"Bucket": BUCKET, "Key": "source", "VersionId": version}
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.copy_object(Bucket=BUCKET, Key="target", CopySource=source, **NOTHING_THERE)
    s3.copy_object(Bucket=BUCKET, Key="target", CopySource=source, IfMatch=read)
    assert content(s3) == b"an old version"


def test_a_delete_marker_is_no_object(s3: Any) -> None:
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    read = put(s3, b"old")
    s3.delete_object(Bucket=BUCKET, Key="target")
    assert refused(s3, IfMatch=read) == (404, "NoSuchKey")
    copy(s3, **NOTHING_THERE)
    assert content(s3) == b"new"


def test_a_condition_on_the_source_is_another_one(s3: Any) -> None:
    put(s3, b"old")
    assert refused(s3, CopySourceIfMatch="another") == (412, "PreconditionFailed")
    copy(s3, CopySourceIfMatch=s3.head_object(Bucket=BUCKET, Key="source")["ETag"])
    assert content(s3) == b"new"


def test_a_concurrent_write_can_be_ordered(aws: LocalAws, s3: Any) -> None:
    fault = {"service": "s3", "action": "CopyObject", "status": 409, "code": "ConditionalRequestConflict"}
    aws.break_aws(fault)
    try:
        assert refused(s3, **NOTHING_THERE) == (409, "ConditionalRequestConflict")
    finally:
        aws.break_aws()
    copy(s3, **NOTHING_THERE)


@pytest.mark.parametrize(
    "condition", [{"IfNoneMatch": "an-etag"}, {"IfMatch": "*"}, {"IfMatch": "an-etag", "IfNoneMatch": "*"}]
)
def test_conditions_that_s3_does_not_have_are_refused(s3: Any, condition: dict[str, str]) -> None:
    assert refused(s3, **condition) == (501, "NotImplemented")


def test_a_copy_of_a_part_has_no_condition(s3: Any) -> None:
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="target")["UploadId"]
    s3.meta.events.register_first("before-call.s3.UploadPartCopy", _with_condition)
    part = {"Bucket": BUCKET, "Key": "target", "UploadId": upload, "PartNumber": 1}
    with pytest.raises(ClientError, match="NotImplemented"):
        s3.upload_part_copy(**part, CopySource=f"{BUCKET}/source")
    s3.abort_multipart_upload(Bucket=BUCKET, Key="target", UploadId=upload)


def _with_condition(params: dict[str, Any], **_more: Any) -> None:
    params["headers"]["If-None-Match"] = "*"
