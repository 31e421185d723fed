"""The page as text: nothing from outside is markup, no part hides another, everything says where it is from."""

import re
from dataclasses import replace

import pytest

from lake.environment import cost
from lake.environment.cost import Usage, Window
from lake.environment.partial_results import PartialResult
from lake.report import page
from lake.report.model import Report
from tests.report import sample

SECTIONS = ("flow", "freshness", "quality", "quarantine", "alarms", "runs", "cost")
END = sample.NOW
REPORTS = {"busy": sample.busy(), "empty": sample.empty(), "unreadable": sample.unreadable()}


def draw(report: Report) -> str:
    return page.rendered(report, "https://example.com/RUNBOOK.md")


@pytest.mark.parametrize("name", REPORTS)
def test_nothing_that_comes_from_outside_is_markup(name: str) -> None:
    text = draw(REPORTS[name])
    assert "<script" not in text
    assert re.findall(r"<img|onerror=(?!alert)", text) == []
    if name != "empty":
        assert "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;" in text


@pytest.mark.parametrize("name", REPORTS)
def test_the_page_needs_nothing_but_itself(name: str) -> None:
    text = draw(REPORTS[name])
    loaded = re.findall(r'(?:src|href|url)\s*[=(]\s*"?(?!#|data:)([^\s")>]+)', re.sub(r"<a [^>]*>", "", text))
    assert [address for address in loaded if not address.startswith(("http://example.com/x.png", "#"))] == []


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_is_there_and_says_from_where_and_as_of_when(name: str, section: str) -> None:
    head = re.search(rf'<h2 id="{section}">.*?<p class="source">(.*?)</p>', draw(REPORTS[name]), re.DOTALL)
    assert head
    assert re.search(r"From .+; 2026-11-21 12:30 UTC", head[1])


def test_a_part_that_cannot_be_read_says_why_and_the_others_are_shown() -> None:
    broken = replace(sample.busy(), cost=PartialResult("usage", None, "no way"))
    text = draw(broken)
    assert list(broken.failures) == ["the cost"]
    assert "Could not be read: the cost. Below stands why." in text
    assert "<strong>Could not be read.</strong> no way" in text
    assert "1,204" in text


def test_one_unreadable_quarantine_leaves_the_other() -> None:
    report = sample.busy()
    missing = {
        **report.quarantine,
        "curated_weather": PartialResult[None]("Athena", None, "TABLE_NOT_FOUND: quarantine"),
    }
    text = draw(replace(report, quarantine=missing))  # type: ignore[arg-type]
    assert "TABLE_NOT_FOUND" in text
    assert "pattern:sensor_id" in text


def test_a_step_that_cannot_be_read_is_marked_and_counted_among_the_failures() -> None:
    report = sample.without_table("quarantine_curated_weather")
    assert report.failures == {"the quarantine weather": "QueryFailed: TABLE_NOT_FOUND"}
    assert "not readable: QueryFailed: TABLE_NOT_FOUND</title>" in draw(report)


def test_a_cost_that_could_not_be_asked_for_is_among_the_failures() -> None:
    lines = cost.estimate([Usage("KMS", "not measured", "kms_key", None, note="denied", failed=True)], Window(END, END))
    assert replace(sample.busy(), cost=PartialResult("usage", lines)).failures == {"the cost of KMS": "denied"}


def test_the_cost_of_a_lake_younger_than_a_day_is_too_young_to_tell() -> None:
    heads = {name: re.search(r"Cost, estimated</dt><dd>(.*?)<", draw(REPORTS[name])) for name in ("busy", "empty")}
    found = {name: head and head[1] for name, head in heads.items()}
    assert found["empty"] == "too young to tell"
    assert str(found["busy"]).startswith("$")


def test_a_lake_without_data_is_not_called_well_fed() -> None:
    text = draw(sample.empty())
    assert "Nothing is wrong, and nothing has arrived yet" in text
    assert text.count("no data yet") == len(sample.NAMES)
    assert "All is well" not in text


def test_what_needs_attention_leads_to_its_section_of_the_runbook() -> None:
    text = draw(sample.busy())
    links = set(re.findall(r'href="https://example.com/([^"]+)"', text))
    rings = [sample.RUNBOOK.sections[name].link for name in ("quarantine-ratio", "curated-sensor-readings-freshness")]
    assert set(rings) <= links
    assert "2 things need attention" in text


def test_the_sum_of_the_runs_is_written_out() -> None:
    text = draw(sample.busy())
    assert "8,460 received = 6,491 new + 1,190 replaced + 506 duplicate + 273 quarantined" in text
