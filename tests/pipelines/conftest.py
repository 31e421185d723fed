"""The lake that the tests of every pipeline begin with."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipelines.deployment import Deployed, restored


@pytest.fixture(scope="module")
def deployed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """dev in a localaws of this file's own: no file sees what another one did to it. Deployed once for all files.

    Functions, job and stream are those of the pipeline in whose folder the file is.
    """
    pipeline = request.path.relative_to(Path(__file__).parent).parts[0]
    with restored(tmp_path_factory.mktemp("deployed")) as deployed:
        yield deployed.of(pipeline)
