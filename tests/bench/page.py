"""docs/performance.md and its chart, from the figures of one run in docs/performance.json."""

import json
import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from string import Template
from typing import Any

from tests.bench.records import DUPLICATE, INVALID, LATE, OF_ONE_SENSOR, SENSORS

DOCS = Path(__file__).parents[2] / "docs"
PAGE, CHART, FIGURES = DOCS / "performance.md", DOCS / "performance.svg", DOCS / "performance.json"
LAKE, BASE = "the lake", "Spark, no duplicates"


def write(peers: Mapping[str, Mapping[str, Any]], records: int, objects: int, runs: int) -> None:
    """Write figures, page and chart; ``peers`` has the typical run of each by its name, as ``make bench`` prints it."""
    figures = {"machine": _machine(), "records": records, "objects": objects, "runs": runs, "peers": peers}
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(text(figures), encoding="utf-8")
    _draw(peers)


def text(figures: Mapping[str, Any]) -> str:
    """Return the page in Markdown, of figures as they are in docs/performance.json."""
    peers, lake = figures["peers"], figures["peers"][LAKE]
    rows = [f"| {name} | {f['cpu_seconds']} | {f['ratio']} | {f['peak_gigabytes']} |" for name, f in peers.items()]
    words = {
        "records": f"{figures['records']:,}",
        "objects": figures["objects"],
        "times": f"Median of {figures['runs']} runs" if figures["runs"] > 1 else "One run",
        "machine": figures["machine"],
        "duplicate": f"{DUPLICATE:.1%}",
        "late": f"{LATE:.1%}",
        "invalid": f"{INVALID:.1%}",
        "of_one": f"{OF_ONE_SENSOR:.0%}",
        "sensors": f"{SENSORS:,}",
        "rows": "\n".join(rows),
        "base": BASE,
        "files": lake["files"],
        "megabytes": f"{lake['bytes'] / 1e6:.1f}",
        "calls": ", ".join(f"{number:,} to {service}" for service, number in sorted(lake["calls"].items())),
    }
    template = Path(__file__).with_name("performance.md.template").read_text(encoding="utf-8")
    return Template(template).substitute(words)


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}, {datetime.now(UTC):%Y-%m-%d}"


def _draw(peers: Mapping[str, Mapping[str, Any]]) -> None:
    import matplotlib

    matplotlib.use("svg")
    # The same figures give the same file.
    matplotlib.rcParams.update({"svg.hashsalt": "performance", "font.size": 11})
    from matplotlib import pyplot

    names = list(peers)[::-1]
    figure, axes = pyplot.subplots(figsize=(8, 0.5 * len(names) + 0.8), layout="constrained")
    colours = ["#c2410c" if name == LAKE else "#64748b" for name in names]
    bars = axes.barh(names, [peers[name]["cpu_seconds"] for name in names], color=colours)
    axes.bar_label(bars, fmt="%.1f", padding=4)
    axes.set_xlabel("CPU-seconds")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(CHART, metadata={"Date": None})
