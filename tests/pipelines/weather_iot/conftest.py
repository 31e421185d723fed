"""The deployed lake of a file, and the data that goes through it step by step."""

import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from tests.pipelines.deployment import Deployed, Invocation, restored, restored_after
from tests.pipelines.weather_iot.first_day import PLAYED, FirstDay


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "after_first_day: a file whose lake begins as its first day has left it")


@pytest.fixture(scope="module")
def first_day(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FirstDay]:
    """A lake of this file's own and its first day, of which a file with the mark ``after_first_day`` sees the end."""
    folder = tmp_path_factory.mktemp("deployed")
    if request.node.get_closest_marker("after_first_day"):
        with restored_after(PLAYED, folder) as (deployed, happened):
            yield FirstDay(deployed.of("weather_iot"), happened)
    else:
        with restored(folder) as deployed:
            yield FirstDay(deployed.of("weather_iot"))


@pytest.fixture(scope="module")
def deployed(first_day: FirstDay) -> Deployed:
    """dev in a localaws of this file's own: no file sees what another one did to it. Deployed once for all files."""
    return first_day.lake


@pytest.fixture(scope="module")
def canary(deployed: Deployed) -> str:
    """A second version of the pseudonym key, for events of long ago: none has it, and rotations may follow."""
    client, name = deployed.client("secretsmanager"), deployed.names["pseudonym_key"]
    value = json.loads(deployed.pseudonym_key())
    key = f"canary{secrets.token_hex(29)}"
    value["versions"].append({"version": 2, "valid_from": "1950-01-01T00:00:00Z", "key": key})
    client.put_secret_value(SecretId=name, SecretString=json.dumps(value))
    return key


@pytest.fixture(scope="module")
def partly_ingested(first_day: FirstDay) -> Invocation:
    return first_day.partly_ingested


@pytest.fixture(scope="module")
def without_paris(first_day: FirstDay) -> set[str]:
    return first_day.without_paris


@pytest.fixture(scope="module")
def ingested(first_day: FirstDay) -> Invocation:
    return first_day.ingested


@pytest.fixture(scope="module")
def messages(first_day: FirstDay) -> list[str]:
    return first_day.messages


@pytest.fixture(scope="module")
def planted(first_day: FirstDay) -> str:
    return first_day.planted


@pytest.fixture(scope="module")
def transformed(first_day: FirstDay) -> dict[str, Any]:
    return first_day.run
