"""Measure a load of sensor messages by the lake and by its peers, in turn, on the same files.

Examples: make bench; make bench ROWS=5000000 RUNS=1; make bench-quick.
"""

import argparse
import json
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from tests.bench import page, peers, records
from tests.bench.measured import Failed
from tests.bench.page import BASE, LAKE
from tests.bench.peers import PEERS, Figure, Wrong

QUICK_ROWS, QUICK_OBJECTS, QUICK_RUNS = 100_000, 4, 2


def main() -> int:
    """Return 1 when a peer fails or finds something wrong."""
    options = _parser().parse_args()
    if options.quick:
        options.rows, options.objects, options.runs = QUICK_ROWS, QUICK_OBJECTS, QUICK_RUNS
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        _say(f"{options.rows:,} records in {options.objects} objects …")
        truth = records.write(folder / "in", options.rows, options.objects)
        chosen = [peer for peer in PEERS if not options.quick or peer.name in (BASE, LAKE)]
        try:
            found = _measured(chosen, folder, truth, options.runs)
        except (Failed, Wrong) as error:
            _say(f"bench: {error}")
            return 1
    figures = {name: peers.typical(each) for name, each in found.items()}
    rows = {name: _row(figure, figures[BASE]) for name, figure in figures.items()}
    if not options.quick:
        page.write(rows, options.rows, options.objects, options.runs)
    print(json.dumps(rows, indent=2))
    return 0


def _measured(chosen: list[peers.Peer], folder: Path, truth: records.Truth, runs: int) -> dict[str, list[Figure]]:
    """In turn, so that what slows the machine for a while slows all of them."""
    found: dict[str, list[Figure]] = defaultdict(list)
    for number in range(runs):
        for peer in chosen:
            figure = peers.measure(peer, folder, truth)
            found[peer.name].append(figure)
            _say(f"run {number + 1} of {runs}: {peer.name}: {figure.seconds:.1f} CPU-seconds")
    return found


def _row(figure: Figure, base: Figure) -> dict[str, object]:
    return {
        "cpu_seconds": round(figure.seconds, 1),
        "ratio": round(figure.seconds / base.seconds, 2),
        "peak_gigabytes": round(figure.peak_bytes / 1e9, 2),
        **{name: value for name, value in figure.result.result.items() if name != "found"},
    }


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000, help="sensor messages (1,000,000)")
    parser.add_argument("--objects", type=int, default=8, help="raw objects that they are in (8)")
    parser.add_argument("--runs", type=int, default=3, help="runs of each, whose median counts (3)")
    parser.add_argument(
        "--quick", action="store_true", help=f"{QUICK_ROWS:,} messages, the better of two runs, the lake and one peer"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
