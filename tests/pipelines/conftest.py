"""The lake that the tests of every pipeline begin with."""

from collections.abc import Iterator

import pytest

from tests.pipelines.deployment import Deployed, restored


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """dev in a localaws of this file's own: no file sees what another one did to it. Deployed once for all files."""
    with restored(tmp_path_factory.mktemp("deployed")) as deployed:
        yield deployed
