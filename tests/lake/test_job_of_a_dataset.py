"""Which job does what a command asks for: a pipeline has one job, several or none."""

import pytest

from lake.environment import inventory
from lake.environment.deployment import Platform
from lake.environment.inventory import NoJob

DATASET = "curated_weather"


def platform(producers: dict[str, str], **operations: str) -> Platform:
    """A platform on which a pipeline with these jobs is registered."""
    return Platform("dev", {}, None, {"weather_iot": {"producers": producers, "operations": operations}})


@pytest.mark.parametrize("others", [{}, {"another_dataset": "daily"}])
def test_the_job_that_writes_a_dataset_repairs_it(others: dict[str, str]) -> None:
    assert inventory.job_of(platform({**others, DATASET: "hourly"}), DATASET, "replay") == "hourly"


@pytest.mark.parametrize("producers", [{}, {DATASET: "hourly"}])
def test_an_operation_with_a_job_of_its_own_is_done_by_that(producers: dict[str, str]) -> None:
    assert inventory.job_of(platform(producers, erase="eraser"), DATASET, "erase") == "eraser"


@pytest.mark.parametrize("registered", [platform({}), platform({"another": "daily"}), Platform("dev", {}, None)])
def test_a_dataset_that_no_deployed_job_writes_is_an_error_that_says_what_to_type(registered: Platform) -> None:
    with pytest.raises(NoJob, match=r"no deployed job of weather_iot writes .*PIPELINE=weather_iot"):
        inventory.job_of(registered, DATASET, "replay")
