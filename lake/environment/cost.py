"""What the platform costs a month, estimated: measured usage, in AWS's billing steps, at the prices of prices.yaml."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from lake.core.errors import LakeError

HOURS_A_MONTH = 730
GIGABYTE = 1024**3
TERABYTE = 1024**4
_MEGABYTE = 1024**2
_SHORTEST_HOURS = 24.0
_DPU = {"G.025X": 0.25, "G.1X": 1.0, "G.2X": 2.0, "G.4X": 4.0, "G.8X": 8.0}
_GLUE_MINIMUM_SECONDS = 60
_FIREHOSE_STEP_BYTES = 5 * 1024
_ATHENA_MINIMUM_BYTES = 10 * _MEGABYTE


class NoPrice(LakeError):
    """Something is used that prices.yaml has no price for."""


@dataclass(frozen=True)
class Price:
    """``usd`` for ``per`` units; ``as_of`` is when ``source`` said so."""

    usd: float
    per: int
    unit: str
    as_of: str
    source: str

    @property
    def text(self) -> str:
        """The price as people write it, e.g. ``$0.20 per 1,000,000 requests``."""
        amount = f"{self.usd:.2f}" if round(self.usd, 2) == self.usd else f"{self.usd:.10f}".rstrip("0")
        return f"${amount} per {f'{self.per:,} ' if self.per > 1 else ''}{self.unit}"


@dataclass(frozen=True)
class Window:
    """What usage was measured over: since the deployment, 30 days at most."""

    start: datetime
    end: datetime

    @property
    def hours(self) -> float:
        """Its length; a day at least, or minutes after a deployment would be continued to a month."""
        return max((self.end - self.start).total_seconds() / 3600, _SHORTEST_HOURS)

    @property
    def young(self) -> bool:
        """Whether that is longer than it has really been."""
        return (self.end - self.start).total_seconds() / 3600 < _SHORTEST_HOURS


@dataclass(frozen=True)
class Usage:
    """One thing that is paid for. ``amount`` is in units of its price, None when it is not known: ``note`` says why.

    ``standing`` things are paid for by the month that they exist, the others each time. ``failed``: the service did not
    answer.
    """

    service: str
    what: str
    price: str
    amount: float | None
    standing: bool = False
    note: str = ""
    failed: bool = False


@dataclass(frozen=True)
class Line:
    """Usage with its price; ``usd_a_month`` is None when the usage is not known."""

    usage: Usage
    price: Price
    usd_a_month: float | None


@dataclass(frozen=True)
class Estimate:
    """The lines, most expensive first, and what is in none of them."""

    window: Window
    region: str
    lines: tuple[Line, ...]
    left_out: tuple[str, ...]

    @property
    def usd_a_month(self) -> float:
        """The sum of the lines that are known."""
        return sum(line.usd_a_month or 0.0 for line in self.lines)


def estimate(usages: Iterable[Usage], window: Window) -> Estimate:
    """Put the prices to the usages. Raises NoPrice for one that has none."""
    lines = [_line(usage, window) for usage in usages]
    known = sorted(lines, key=lambda line: -(line.usd_a_month or 0.0))
    return Estimate(window, book()["region"], tuple(known), tuple(book()["left_out"]))


def price(name: str) -> Price:
    """The price of that name in prices.yaml; raises NoPrice when there is none."""
    entries = book()["prices"]
    if name not in entries:
        raise NoPrice(f"prices.yaml has no price '{name}'; it has {', '.join(entries)}")
    return Price(**{**entries[name], "as_of": str(entries[name]["as_of"])})


def caveat(estimate: Estimate) -> str:
    """What everybody should know who reads the estimate."""
    window = estimate.window
    young = " It is younger than a day, so what it used so far is taken for a whole day." if window.young else ""
    return (
        f"An estimate, not a bill: used from {window.start:%Y-%m-%d %H:%M} to {window.end:%Y-%m-%d %H:%M} UTC, "
        f"continued to {HOURS_A_MONTH} hours, at prices of {estimate.region}.{young} "
        f"Left out: {'; '.join(estimate.left_out)}."
    )


def dpu_hours(worker: str, workers: int, seconds: float) -> float:
    """What one run of a Glue job is billed: by the second, a minute at least. Raises NoPrice for an unknown worker."""
    if worker not in _DPU:
        raise NoPrice(f"how many DPU a Glue worker {worker} has is not known here; {', '.join(_DPU)} are")
    return _DPU[worker] * workers * max(seconds, _GLUE_MINIMUM_SECONDS) / 3600


def firehose_bytes(records: float, size: float) -> float:
    """What a stream is billed for ``records`` of together ``size`` bytes: each rounded up to 5 KB.

    Only the mean size is known, so the answer is exact for records that are alike, and the least otherwise.
    """
    return records * math.ceil(size / records / _FIREHOSE_STEP_BYTES) * _FIREHOSE_STEP_BYTES if records else 0.0


def athena_bytes(scanned: int) -> int:
    """What one query is billed: rounded up to the megabyte, ten at least."""
    return max(math.ceil(scanned / _MEGABYTE) * _MEGABYTE, _ATHENA_MINIMUM_BYTES)


def _line(usage: Usage, window: Window) -> Line:
    found = price(usage.price)
    if usage.amount is None:
        return Line(usage, found, None)
    months = 1.0 if usage.standing else HOURS_A_MONTH / window.hours
    return Line(usage, found, usage.amount * months * found.usd / found.per)


@cache
def book() -> dict[str, Any]:
    """prices.yaml: ``prices`` by name, their ``region``, and what is ``left_out``."""
    text = (Path(__file__).parent / "prices.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found
