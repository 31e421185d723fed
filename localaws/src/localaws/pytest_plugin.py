"""pytest's fixture `aws`: one localaws for the test session. Installed with the package, so every test has it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from localaws.client import LocalAws


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """One localaws for the session. Tests name what they create after themselves, or clean up."""
    from localaws.client import running  # boto3 is not for sessions in which nobody asks for it

    with running(tmp_path_factory.mktemp("localaws")) as aws:
        yield aws
