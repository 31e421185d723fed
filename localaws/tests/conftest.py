"""The session's localaws, with what the tests of its services need."""

import pytest

from localaws import client
from localaws.testing import LocalAws


@pytest.fixture(scope="session")
def aws(aws: client.LocalAws) -> LocalAws:
    """The same localaws as all tests use."""
    return LocalAws(aws.home, aws.port, aws.environment)
