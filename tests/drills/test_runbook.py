"""Runbook and drills agree: every block is drilled, every cause has its drill.

That every alarm has its section and its drill is asked in tests/terraform/test_alarms.py.
"""

import os
import re
from pathlib import Path

import pytest

from drills import catalogue, runbook
from drills.drill import Drill
from drills.runbook import Runbook
from lake.environment.alarms import page as page_of

RUNBOOK, DRILLS = runbook.load(), catalogue.drills()
# How a section begins whose symptom nobody is told of: somebody sees it.
WITHOUT_ALARM = "No alarm"
# Run as they stand by tests/pipelines/weather_iot/e2e, for they mend nothing.
NOT_DRILLED = {"start", "weekly.look"}
SEED_CAUSES = "1a 1b 1c 1d 2a 2b 3a 3b 3c 4a 4b 4c 4d 4e 5a 5b 5c 6a 6b 6c 6d".split()  # noqa: SIM905
SMALL = """
### some-alarm

```bash id=some-alarm.confirm
echo one
```

```text of=some-alarm.confirm
one … three
five
```

| Drill | It says | Cause | Fix |
|---|---|---|---|
| 9z | `one` and `two` | bad luck | *confirm* |
"""


def test_a_runbook_is_blocks_outputs_sections_and_causes() -> None:
    small = Runbook({"small.md": SMALL})
    assert small.blocks == {"some-alarm.confirm": "echo one\n"}
    assert [section.link for section in small.sections.values()] == ["small.md#some-alarm"]
    assert small.causes["9z"].quoted == ["one", "two"]
    assert small.missing_from("some-alarm.confirm", "zero\none two three\nfive\n") == []
    assert small.missing_from("some-alarm.confirm", "five\none two three\n") == ["five"]


def test_a_section_that_two_pages_have_is_refused() -> None:
    with pytest.raises(ValueError, match=r"more than one of the blocks of the runbook is called some-alarm\.confirm"):
        Runbook({"one.md": SMALL, "other.md": SMALL})
    with pytest.raises(ValueError, match="more than one of the sections of the runbook is called some-alarm"):
        Runbook({"one.md": SMALL, "other.md": "### some-alarm\n"})


def test_every_pipeline_with_drills_has_a_page_and_every_page_a_pipeline() -> None:
    pages = {page_of(name) for name in catalogue.pipelines()}
    assert pages == set(RUNBOOK.pages) - {runbook.PLATFORM}


@pytest.mark.parametrize("page", RUNBOOK.pages)
def test_a_page_links_its_sections_before_the_first_chapter(page: str) -> None:
    beginning = RUNBOOK.pages[page].partition("\n## ")[0]
    linked = re.findall(r"\[([a-z0-9-]+)\]\(#([a-z0-9-]+)\)", beginning)
    assert linked == [(section.name, section.name) for section in RUNBOOK.sections.values() if section.page == page]


@pytest.mark.parametrize("page", RUNBOOK.pages)
def test_a_link_to_a_section_leads_to_where_it_is(page: str) -> None:
    here, links = Path(page).parent, re.findall(r"\]\(([^)#:]*)#([^)]+)\)", RUNBOOK.pages[page])
    places = {os.path.normpath(here / file) + f"#{name}" if file else f"{page}#{name}" for file, name in links}
    assert places - {section.link for section in RUNBOOK.sections.values()} == set()


def test_every_command_block_has_an_id_and_shows_what_it_prints_only_once() -> None:
    text = "".join(RUNBOOK.pages.values())
    assert text.count("```bash") == len(RUNBOOK.blocks) > 50
    assert text.count("```text of=") == len(RUNBOOK.outputs)
    assert set(RUNBOOK.outputs) <= set(RUNBOOK.blocks)


def test_every_block_is_run_by_a_drill_and_every_drill_runs_blocks_that_exist() -> None:
    drilled = {block for drill in DRILLS.values() for block in drill.names()}
    assert set(RUNBOOK.blocks) - drilled == NOT_DRILLED
    assert drilled - set(RUNBOOK.blocks) == set()


def test_every_cause_has_its_drill_in_its_section_and_every_drill_its_cause() -> None:
    assert set(SEED_CAUSES) <= set(DRILLS)
    assert {cause.id: cause.section for cause in RUNBOOK.causes.values()} == {
        drill.id: drill.section for drill in DRILLS.values()
    }


@pytest.mark.parametrize("name", sorted(RUNBOOK.sections))
def test_a_section_says_what_it_means_how_bad_it_is_and_how_to_go_back(name: str) -> None:
    text, words = RUNBOOK.sections[name].text, ("**Impact**", "**Severity**", "**Undo**")
    assert [word for word in words if word not in text] == []
    assert "**Meaning**" in text or text.lstrip().startswith(WITHOUT_ALARM)
    assert RUNBOOK.blocks.get(f"{name}.confirm"), "how to confirm it"


@pytest.mark.parametrize("drill", DRILLS.values(), ids=DRILLS)
def test_a_drill_is_noticed_by_alarms_or_by_somebody(drill: Drill) -> None:
    assert bool(drill.alarms) != (drill.noticed is not None)
    assert drill.refused <= {name.rpartition(".")[2] for name in drill.names()}
