"""Who is measured, on the same files: the lake and its peers."""

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench import measured
from tests.bench.measured import Measured
from tests.bench.page import BASE, LAKE
from tests.bench.records import Truth

ROOT = Path(__file__).parents[2]
SPARK = str(ROOT / ".venv" / "bin" / "python")


class Wrong(Exception):
    """A peer has found something else than what is true; its figures say nothing."""


@dataclass(frozen=True)
class Peer:
    """A program; ``removes_duplicates`` says what it is to find."""

    name: str
    command: tuple[str, ...]
    removes_duplicates: bool = True


@dataclass(frozen=True)
class Figure:
    """Processor seconds and largest memory of one run, set-up left out."""

    seconds: float
    peak_bytes: int
    result: Measured


PEERS = (
    Peer("Spark, schema inferred", (SPARK, "-m", "tests.bench.plain_spark", "{in}", "{out}", "inferred"), False),
    Peer("Spark, schema given", (SPARK, "-m", "tests.bench.plain_spark", "{in}", "{out}", "schema"), False),
    Peer(BASE, (SPARK, "-m", "tests.bench.plain_spark", "{in}", "{out}", "distinct")),
    Peer("DuckDB", (sys.executable, "-m", "tests.bench.plain_duckdb", "{in}", "{out}")),
    Peer("Polars", (sys.executable, "-m", "tests.bench.plain_polars", "{in}", "{out}")),
    Peer(LAKE, (SPARK, "-m", "tests.bench.lake_run", "{in}", "{out}")),
)


def measure(peer: Peer, folder: Path, truth: Truth) -> Figure:
    """Run a peer once on ``folder/in``; raises Wrong unless it finds what is true."""
    target = folder / "out"
    shutil.rmtree(target, ignore_errors=True)
    if peer.name == LAKE:
        target.mkdir()
    command = [part.replace("{in}", str(folder / "in")).replace("{out}", str(target)) for part in peer.command]
    environment = {"PYTHONPATH": str(ROOT)}
    found = measured.run(command, environment, folder / "log.txt")
    _check(peer, found, truth)
    seconds = found.between("", "end")
    if "ready" in found.marks:
        seconds -= found.between("session", "ready")
    return Figure(seconds, found.peak_bytes, found)


def typical(figures: Sequence[Figure]) -> Figure:
    """Return the run with the median of the processor seconds; of an even number the lower one in the middle."""
    return sorted(figures, key=lambda figure: figure.seconds)[(len(figures) - 1) // 2]


def _check(peer: Peer, found: Measured, truth: Truth) -> None:
    said = found.result["found"]
    wanted = [truth.distinct, truth.temperatures, truth.lowest, truth.highest]
    same = said == wanted if peer.removes_duplicates else [said[0], *said[2:]] == [truth.valid, *wanted[2:]]
    if not same:
        raise Wrong(f"{peer.name} has found {said}, true is {wanted} ({truth.valid} valid ones with duplicates)")
