"""The demo's result as one HTML page without any other file: readable on a phone, in light and in dark."""

from pathlib import Path
from typing import Any

import jinja2

_TEMPLATE = Path(__file__).parent / "page.html.jinja"


def rendered(summary: dict[str, Any]) -> str:
    """The page for a summary as the demo writes it."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    return template.render(summary=summary, hops={hop["dataset"]: hop for hop in summary["hops"]}) + "\n"
