"""Which deployed part is meant: the one that is named, or the only one; else the answer says which there are."""

import pytest

from lake.environment.deployment import NotOne, Platform

ONE = {"streams": {"messages": "project-messages-dev"}, "jobs": {"load": "project-load-dev"}}
OTHER = {"streams": {"messages": "project-other-messages-dev", "clicks": "project-other-clicks-dev"}}


def platform(**pipelines: dict[str, dict[str, str]]) -> Platform:
    return Platform("dev", {}, None, pipelines)


def test_the_only_one_needs_no_name() -> None:
    assert platform(one=ONE, without={}).part("streams") == "project-messages-dev"
    assert platform(one=ONE, other=OTHER).part("jobs") == "project-load-dev"


@pytest.mark.parametrize(
    ("name", "pipeline", "meant"),
    [
        (None, "one", "project-messages-dev"),
        ("messages", "other", "project-other-messages-dev"),
        ("clicks", None, "project-other-clicks-dev"),
    ],
)
def test_name_and_pipeline_choose(name: str | None, pipeline: str | None, meant: str) -> None:
    assert platform(one=ONE, other=OTHER).part("streams", name, pipeline) == meant


@pytest.mark.parametrize(
    ("name", "pipeline", "said"),
    [
        (None, None, "there are 3 streams where"),
        ("messages", None, "there are 2 streams called messages where"),
        (None, "other", "there are 2 streams of other where"),
        ("orders", "one", "there are no streams called orders of one where"),
    ],
)
def test_none_or_several_is_an_error_that_says_which_there_are(
    name: str | None, pipeline: str | None, said: str
) -> None:
    with pytest.raises(NotOne, match=f"{said}.*: messages of one, messages of other, clicks of other"):
        platform(one=ONE, other=OTHER).part("streams", name, pipeline)


def test_where_nothing_of_the_kind_is_deployed_it_says_so() -> None:
    with pytest.raises(NotOne, match="deployed operations: none"):
        platform(one=ONE).part("operations")
