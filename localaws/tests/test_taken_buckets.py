"""Buckets that belong to other accounts."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from localaws.client import LocalAws, running

pytestmark = pytest.mark.component


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """A localaws in which others have some names."""
    home: Path = tmp_path_factory.mktemp("crowded")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCALAWS_TAKEN_BUCKETS", "theirs somebody-*-data")
        with running(home) as aws:
            yield aws


@pytest.mark.parametrize("name", ["theirs", "somebody-else-data"])
def test_a_name_that_others_have_is_refused_as_aws_refuses_it(crowded: LocalAws, name: str) -> None:
    s3 = crowded.client("s3")
    with pytest.raises(ClientError) as created:
        s3.create_bucket(Bucket=name)
    assert created.value.response["Error"]["Code"] == "BucketAlreadyExists"
    with pytest.raises(ClientError) as looked:
        s3.head_bucket(Bucket=name)
    assert looked.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.get_object(Bucket=name, Key="secret")


def test_every_other_name_is_free(crowded: LocalAws) -> None:
    s3 = crowded.client("s3")
    s3.create_bucket(Bucket="theirs-not")
    s3.head_bucket(Bucket="theirs-not")
