"""What commands print: a value from outside breaks no row, and means nothing to a terminal."""

import io
from dataclasses import replace

import pytest

from lake.cli import output, rows
from lake.environment import health
from lake.environment.health import State
from lake.environment.inventory import Run
from lake.environment.partial_results import PartialResult
from tests.report import sample

MANY = {f"added:field_{letter}": 1 for letter in "abcdefghijklmnopqrstuvwxyz"}


def test_a_line_end_or_tab_in_a_value_breaks_no_row(capsys: pytest.CaptureFixture[str]) -> None:
    output.show([{"name": "a\tb\nc\x1b[31m", "city": "Z\u00fcrich"}], as_json=False)
    assert capsys.readouterr().out == "name\tcity\na\\tb\\nc\\x1b[31m\tZ\u00fcrich\n"


def test_a_terminal_shows_markup_in_a_value_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdout", screen)
    output.show([{"name": "[bold]x[/bold] \x1b[2J"}], as_json=False)
    assert "[bold]x[/bold] \\x1b[2J" in screen.getvalue()


def test_the_drift_of_a_run_is_cut_in_lists_and_in_what_needs_attention() -> None:
    run = replace(_run(), drift=MANY)
    (row,) = rows.run_rows([run])
    assert row["drift"].endswith("added:field_j 1 and 16 more")
    listed = [replace(dataset, last_run=run) for dataset in (sample.busy().state.datasets.value or [])[:1]]
    state = State("dev", sample.NOW, PartialResult("bucket", listed), PartialResult("CloudWatch", []))
    assert [problem.text for problem in health.seen(state)][-1].endswith("added:field_j (1) and 16 more.")


def _run() -> Run:
    return sample.runs()[0]
