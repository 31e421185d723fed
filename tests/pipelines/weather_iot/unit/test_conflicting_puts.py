"""Functions that put the same object twice at once: an event may be delivered more than once."""

from collections.abc import Callable
from datetime import UTC, datetime
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

Put = Callable[[Any], None]


class Contended:
    """A bucket that answers puts with these statuses, one a put, and then takes them."""

    def __init__(self, statuses: list[int]) -> None:
        self.statuses, self.calls = list(statuses), 0

    def get_paginator(self, _name: str) -> Any:
        return SimpleNamespace(paginate=lambda **_listing: [])

    def put_object(self, **_put: Any) -> None:
        self.calls += 1
        if self.statuses:
            answer: Any = {"ResponseMetadata": {"HTTPStatusCode": self.statuses.pop(0)}}
            raise ClientError(answer, "PutObject")


@pytest.fixture(params=["batch_ingest", "stream_generate"])
def put(request: pytest.FixtureRequest, function: Callable[[str], ModuleType]) -> Put:
    """Let the function put one object into a bucket."""
    module = function(request.param)
    if request.param == "batch_ingest":
        city, hour = module.City("Paris", 48.9, 2.4, "paris"), module.Hour("2026-11-20T00:00", 1.0, 2.0, 3.0, 4.0)
        settings = module.Settings("test", (city,), "lake", "raw/weather/", 1)
        return lambda bucket: module.store(settings, bucket, city, [hour], {})
    return lambda bucket: module.store(bucket, "s3://lake/raw/iot/", b"x", datetime(2026, 11, 20, tzinfo=UTC))


@pytest.mark.parametrize(("statuses", "calls"), [([], 1), ([412], 1), ([409, 409], 3), ([409, 412], 2)])
def test_an_object_that_meets_another_put_of_itself_is_stored(put: Put, statuses: list[int], calls: int) -> None:
    bucket = Contended(statuses)
    put(bucket)
    assert bucket.calls == calls


@pytest.mark.parametrize("statuses", [[409] * 9, [403]])
def test_an_object_that_s3_does_not_take_is_an_error(put: Put, statuses: list[int]) -> None:
    with pytest.raises(ClientError):
        put(Contended(statuses))
