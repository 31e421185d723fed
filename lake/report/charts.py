"""Shapes of series, runs and alarms for an SVG that stretches: coordinates from 0 to 100, y grows downwards."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lake.environment.alarms import Alarm, Change
from lake.environment.inventory import Run
from lake.environment.timeseries import Point

COUNTS = ("new", "replaced", "duplicate", "quarantined")
# A line is not drawn through longer silence.
_SILENCE = timedelta(hours=2)
# An alarm that has just begun must be seen.
_LEAST = 1.5


@dataclass(frozen=True)
class Curve:
    """A series: ``lines`` are pieces of its path, ``limit`` the height of ``allowed``, ``top`` the value at the top."""

    lines: tuple[str, ...]
    limit: float | None
    top: float
    allowed: float | None


@dataclass(frozen=True)
class Bar:
    """A piece of a bar or of a band: place, kind and caption."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    title: str


def curve(points: Sequence[Point], start: datetime, end: datetime, limit: float | None) -> Curve:
    """A series from ``start`` to ``end``; the axis reaches a little above the greatest value and the limit."""
    top = max([point.value for point in points] + [limit or 0]) * 1.1 or 1.0
    pieces: list[list[str]] = []
    before = datetime.min.replace(tzinfo=start.tzinfo)
    for point in points:
        if point.at - before > _SILENCE:
            pieces.append([])
        pieces[-1].append(f"{_across(point.at, start, end):.2f} {100 - 100 * point.value / top:.2f}")
        before = point.at
    # A lone point would have no length, and so not be seen.
    lines = tuple("M" + "L".join(piece if len(piece) > 1 else [piece[0], f"{piece[0]}h.4"]) for piece in pieces)
    return Curve(lines, None if limit is None else 100 - 100 * limit / top, top, limit)


def bars(runs: Sequence[Run], places: int) -> tuple[list[Bar], int]:
    """A bar for each run, the newest at the right of ``places`` places; and how many records the height stands for."""
    top = max((run.received for run in runs), default=0) or 1
    pitch = 100 / places
    found: list[Bar] = []
    shown = sorted(runs, key=lambda run: run.started_at)[-places:]
    for place, run in enumerate(shown, start=places - len(shown)):
        found += _bar(run, place * pitch + pitch * 0.15, pitch * 0.7, top)
    return found, top


def _bar(run: Run, x: float, width: float, top: int) -> Iterator[Bar]:
    counted = ", ".join(f"{getattr(run, kind):,} {kind}" for kind in COUNTS)
    title = f"{run.started_at:%Y-%m-%d %H:%M} {run.status}: {run.received:,} received, {counted}"
    if run.status in ("FAILED", "ABANDONED"):
        # What a failed run has counted was not published.
        yield Bar(x, 0, width, 100, "failed", title)
        return
    height = 100.0
    for kind in COUNTS:
        share = 100 * getattr(run, kind) / top
        if share:
            # Two bad records among a million must still be seen.
            share = max(share, 2.0)
            height -= share
            yield Bar(x, max(height, 0), width, share, kind, title)


def band(alarm: Alarm, changes: Sequence[Change], start: datetime, end: datetime) -> list[Bar]:
    """Return the states of an alarm from ``start`` to ``end`` as pieces, with gaps where no state is known."""
    ours = sorted((change for change in changes if change.alarm == alarm.name), key=lambda change: change.at)
    begin = start if ours or alarm.since <= start else alarm.since
    moments = [begin, *(change.at for change in ours), end]
    states = [ours[0].before if ours else alarm.state, *(change.after for change in ours)]
    return [
        _piece(state, first, last, start, end)
        for state, first, last in zip(states, moments, moments[1:], strict=False)
        if first < last and (state, first) != ("INSUFFICIENT_DATA", start)
    ]


def _piece(state: str, first: datetime, last: datetime, start: datetime, end: datetime) -> Bar:
    x = min(_across(first, start, end), 100 - _LEAST)
    title = f"{state} from {first:%m-%d %H:%M} to {last:%m-%d %H:%M}"
    return Bar(x, 0, max(_across(last, start, end) - x, _LEAST), 100, state, title)


def _across(moment: datetime, start: datetime, end: datetime) -> float:
    return min(max(100 * (moment - start) / (end - start), 0.0), 100.0)
