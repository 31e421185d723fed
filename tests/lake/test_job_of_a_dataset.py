"""Which job does what a command asks for: a pipeline has one job, several or none."""

import pytest

from lake.environment import inventory
from lake.environment.deployment import Platform
from lake.environment.inventory import NoJob

DATASET = "curated_weather"


def platform(repairs: dict[str, str], **operations: str) -> Platform:
    """A platform on which a pipeline with these jobs is registered."""
    return Platform("dev", {}, None, {"weather_iot": {"repairs": repairs, "operations": operations}})


@pytest.mark.parametrize("others", [{}, {"another_dataset": "daily"}])
def test_a_dataset_has_a_job_for_its_repairs(others: dict[str, str]) -> None:
    assert inventory.job_of(platform({**others, DATASET: "repairer"}), DATASET, "replay") == "repairer"


@pytest.mark.parametrize("repairs", [{}, {DATASET: "repairer"}])
def test_an_operation_with_a_job_of_its_own_is_done_by_that(repairs: dict[str, str]) -> None:
    assert inventory.job_of(platform(repairs, erase="eraser"), DATASET, "erase") == "eraser"


@pytest.mark.parametrize("registered", [platform({}), platform({"another": "daily"}), Platform("dev", {}, None)])
def test_a_dataset_that_no_deployed_job_repairs_is_an_error_that_says_what_to_type(registered: Platform) -> None:
    with pytest.raises(NoJob, match=r"no deployed job of weather_iot repairs .*PIPELINE=weather_iot"):
        inventory.job_of(registered, DATASET, "replay")
