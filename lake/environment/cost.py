"""Estimate the platform's monthly cost from measured usage, AWS's billing increments and prices.yaml."""

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
    """prices.yaml has no price for a measured usage."""


@dataclass(frozen=True)
class Price:
    """A price of ``usd`` for ``per`` units, found in ``source`` on the day ``as_of``."""

    usd: float
    per: int
    unit: str
    as_of: str
    source: str

    @property
    def text(self) -> str:
        """Return the price as text, e.g. ``$0.20 per 1,000,000 requests``."""
        amount = f"{self.usd:.2f}" if round(self.usd, 2) == self.usd else f"{self.usd:.10f}".rstrip("0")
        return f"${amount} per {f'{self.per:,} ' if self.per > 1 else ''}{self.unit}"


@dataclass(frozen=True)
class Window:
    """The time over which usage was measured: since the deployment, at most 30 days."""

    start: datetime
    end: datetime

    @property
    def hours(self) -> float:
        """Return the length in hours, at least 24, so that minutes of usage are not extrapolated to a month."""
        return max((self.end - self.start).total_seconds() / 3600, _SHORTEST_HOURS)

    @property
    def young(self) -> bool:
        """Return True if the window is shorter than a day, so that ``hours`` is longer than measured."""
        return (self.end - self.start).total_seconds() / 3600 < _SHORTEST_HOURS


@dataclass(frozen=True)
class Usage:
    """One billed item. ``amount`` is in units of its price, or None when unknown; ``note`` then has the reason.

    ``standing`` items are billed for each month that they exist, the others for each use. ``failed`` is True if the
    service did not answer.
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
    """Usage with its price; ``usd_a_month`` is None when the usage is unknown."""

    usage: Usage
    price: Price
    usd_a_month: float | None


@dataclass(frozen=True)
class Estimate:
    """The lines of an estimate, most expensive first, and a list of the costs that are left out."""

    window: Window
    region: str
    lines: tuple[Line, ...]
    left_out: tuple[str, ...]

    @property
    def usd_a_month(self) -> float:
        """Return the sum of all lines with a known amount."""
        return sum(line.usd_a_month or 0.0 for line in self.lines)

    @property
    def headline(self) -> str:
        """Return the sum as text, or that it is too young to tell where less than a day of use was seen."""
        if self.window.young:
            return "too young to tell"
        return f"{self.usd_a_month:.2f}"


def estimate(usages: Iterable[Usage], window: Window) -> Estimate:
    """Return the priced usages; raises NoPrice for a usage without a price."""
    lines = [_line(usage, window) for usage in usages]
    known = sorted(lines, key=lambda line: -(line.usd_a_month or 0.0))
    return Estimate(window, book()["region"], tuple(known), tuple(book()["left_out"]))


def price(name: str) -> Price:
    """Return the price ``name`` of prices.yaml; raises NoPrice when there is none."""
    entries = book()["prices"]
    if name not in entries:
        raise NoPrice(f"prices.yaml has no price '{name}'; it has {', '.join(entries)}")
    return Price(**{**entries[name], "as_of": str(entries[name]["as_of"])})


def caveat(estimate: Estimate) -> str:
    """Return the sentences that every reader of the estimate needs: window, region, omissions."""
    window = estimate.window
    young = (
        " Too young to tell: it is younger than a day, so what it used so far is taken for a whole day."
        if window.young
        else ""
    )
    return (
        f"An estimate, not a bill: used from {window.start:%Y-%m-%d %H:%M} to {window.end:%Y-%m-%d %H:%M} UTC, "
        f"continued to {HOURS_A_MONTH} hours, at prices of {estimate.region}.{young} "
        f"Left out: {'; '.join(estimate.left_out)}."
    )


def dpu_hours(worker: str, workers: int, seconds: float) -> float:
    """Return the billed DPU hours of one Glue job run: by the second, at least a minute.

    Raises NoPrice for an unknown worker type.
    """
    if worker not in _DPU:
        raise NoPrice(f"how many DPU a Glue worker {worker} has is not known here; {', '.join(_DPU)} are")
    return _DPU[worker] * workers * max(seconds, _GLUE_MINIMUM_SECONDS) / 3600


def firehose_bytes(records: float, size: float) -> float:
    """Return the billed bytes of ``records`` records with ``size`` bytes in total, each rounded up to 5 KB.

    Computed from the mean record size: exact for records of equal size, else a lower bound.
    """
    return records * math.ceil(size / records / _FIREHOSE_STEP_BYTES) * _FIREHOSE_STEP_BYTES if records else 0.0


def athena_bytes(scanned: int) -> int:
    """Return the billed bytes of one query that scanned so many: rounded up to a megabyte, at least ten megabytes."""
    return max(math.ceil(scanned / _MEGABYTE) * _MEGABYTE, _ATHENA_MINIMUM_BYTES)


def _line(usage: Usage, window: Window) -> Line:
    found = price(usage.price)
    if usage.amount is None:
        return Line(usage, found, None)
    months = 1.0 if usage.standing else HOURS_A_MONTH / window.hours
    return Line(usage, found, usage.amount * months * found.usd / found.per)


@cache
def book() -> dict[str, Any]:
    """Return prices.yaml: ``prices`` by name, their ``region``, and the costs that are ``left_out``."""
    text = (Path(__file__).parent / "prices.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found
