"""Runbook, drills and Terraform agree: every block is drilled, every alarm has its section and fires in a drill."""

import re

import pytest

from drills import catalogue, runbook
from drills.drill import Drill
from drills.runbook import Runbook
from tests.local_aws import REPOSITORY

RUNBOOK, DRILLS = runbook.load(), catalogue.drills()
# Symptoms that nobody is told of: somebody sees them.
WITHOUT_ALARM = {
    "athena-no-data", "terraform-apply-fails", "quarantined-records", "numbers-are-wrong", "bad-run", "pseudonym-key",
    "erase-a-subject",
}  # fmt: skip
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


def alarms_in_terraform() -> set[str]:
    """The alarms' short names, as their modules are told them."""
    texts = [file.read_text(encoding="utf-8") for file in (REPOSITORY / "terraform").rglob("*.tf")]
    mentioned = {
        name
        for text in texts
        for name in re.findall(r"^    ([a-z]+(?:-[a-z]+)*)\s*=\s*\{\s*description", text, re.MULTILINE)
    }
    landing = re.findall(r"^    ([a-z-]+)\s*=\s*\{ function =", "".join(texts), re.MULTILINE)
    kinds = re.findall(r'"\$\{name\}-([a-z]+)" = \{\s*description', "".join(texts))
    datasets = [file.stem.replace("_", "-") for file in (REPOSITORY / "contracts/weather_iot").glob("*.yaml")]
    return mentioned | {f"{name}-{kind}" for name in landing for kind in kinds} | {f"{d}-freshness" for d in datasets}


def test_a_runbook_is_blocks_outputs_sections_and_causes() -> None:
    small = Runbook(SMALL)
    assert small.blocks == {"some-alarm.confirm": "echo one\n"}
    assert list(small.sections) == ["some-alarm"]
    assert small.causes["9z"].quoted == ["one", "two"]
    assert small.missing_from("some-alarm.confirm", "zero\none two three\nfive\n") == []
    assert small.missing_from("some-alarm.confirm", "five\none two three\n") == ["five"]


def test_every_command_block_has_an_id_and_shows_what_it_prints_only_once() -> None:
    assert RUNBOOK.text.count("```bash") == len(RUNBOOK.blocks) > 50
    assert RUNBOOK.text.count("```text of=") == len(RUNBOOK.outputs)
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


def test_every_alarm_has_a_section_and_every_section_an_alarm() -> None:
    alarms = alarms_in_terraform()
    assert len(alarms) > 20
    assert set(RUNBOOK.sections) - WITHOUT_ALARM == alarms


def test_every_alarm_fires_in_a_drill() -> None:
    assert {alarm for drill in DRILLS.values() for alarm in drill.alarms} == alarms_in_terraform()


@pytest.mark.parametrize("name", sorted(RUNBOOK.sections))
def test_a_section_says_what_it_means_how_bad_it_is_and_how_to_go_back(name: str) -> None:
    text, words = RUNBOOK.sections[name].text, ("**Impact**", "**Severity**", "**Undo**")
    assert [word for word in words if word not in text] == []
    assert "**Meaning**" in text or name in WITHOUT_ALARM
    assert RUNBOOK.blocks.get(f"{name}.confirm"), "how to confirm it"


@pytest.mark.parametrize("drill", DRILLS.values(), ids=DRILLS)
def test_a_drill_is_noticed_by_alarms_or_by_somebody(drill: Drill) -> None:
    assert bool(drill.alarms) != (drill.noticed is not None)
    assert drill.refused <= {name.rpartition(".")[2] for name in drill.names()}
