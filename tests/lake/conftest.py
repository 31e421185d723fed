"""What the tests of broken and of interleaved runs share."""

import json
from collections.abc import Iterator

import pytest

from tests.lake.operating import commanded, platform, sensors
from tests.local_aws import REPOSITORY, LocalAws
from tests.wire import OneClientEach, Wired

__all__ = ["commanded", "platform", "sensors"]


@pytest.fixture(scope="session")
def quick(aws: LocalAws) -> LocalAws:
    return OneClientEach(aws.home, aws.port, aws.environment)


@pytest.fixture(scope="session")
def wired(aws: LocalAws) -> Wired:
    """Clients of the runs that are broken; those of the others stay whole."""
    return Wired(aws.client)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK waits before it repeats a call; here it need not."""
    monkeypatch.setattr("botocore.endpoint.time.sleep", [].append)


@pytest.fixture(scope="session")
def figures() -> Iterator[dict[str, int]]:
    """How many cases were tried, by kind and case; the documentation quotes them. Those of other sessions stay."""
    file = REPOSITORY / "build" / "correctness" / "protocol.json"
    counted: dict[str, int] = {}
    yield counted
    before = json.loads(file.read_text()) if file.exists() else {}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(before | counted, indent=2, sort_keys=True) + "\n")
