"""Print rows: as a table on a terminal, as plain lines elsewhere, as JSON on request."""

import json
import sys
from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text


def show(rows: Sequence[dict[str, Any]], as_json: bool, title: str = "") -> None:
    """Print rows that share their keys. Without a terminal: one line a row, values separated by tabs, names first."""
    if as_json:
        print(json.dumps(list(rows), indent=2, default=str))
    elif not rows:
        print(f"{title or 'result'}: nothing")
    elif sys.stdout.isatty():
        Console().print(_table(rows, title))
    else:
        print("\t".join(rows[0]))
        for row in rows:
            print("\t".join(_text(value) for value in row.values()))


def _table(rows: Sequence[dict[str, Any]], title: str) -> Table:
    table = Table(title=title or None, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for name, value in rows[0].items():
        table.add_column(name, justify="right" if isinstance(value, int | float) else "left", overflow="fold")
    for row in rows:
        # A plain string would be read as markup.
        table.add_row(*(Text(_text(value)) for value in row.values()))
    return table


def _text(value: Any) -> str:
    """A value in one line; what no reader sees but a terminal obeys is escaped."""
    text = "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)
