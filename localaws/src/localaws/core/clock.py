"""The one clock of localaws, which can be advanced.

AWS: time passes. MiniStack: reads the machine's clock all over the place. Added: the server process and its
children run on real time plus an offset; every second, and after every 60 s step of an advance, the services that
wait for time are called.
"""

import bisect
import datetime
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import time_machine

from localaws.core import settings

STEP_SECONDS = 60
HOUR_SECONDS = 3600

_logger = logging.getLogger("localaws.clock")
_travel: time_machine.Traveller | None = None
_offset = 0.0
_subscribers: list[Callable[[datetime.datetime], None]] = []
_advancing = False
_step = 0
# The spans of time that somebody asked for, oldest first: from, until.
_asked_for: list[tuple[float, float]] = []
_one_at_a_time = threading.RLock()


def start() -> None:
    """Take over the time of this process, at offset zero. Called once, before MiniStack is imported."""
    global _travel
    _travel = time_machine.travel(time.time(), tick=True).start()
    _shift(0)


def start_ticking() -> None:
    """Let real time pass too: call the subscribers once a second, in a thread that ends with the process."""

    def tick_forever() -> None:
        real_second = threading.Event()
        while not real_second.wait(1):
            tick()

    threading.Thread(target=tick_forever, name="localaws-clock", daemon=True).start()


def now() -> datetime.datetime:
    """The shifted time, in UTC."""
    return datetime.datetime.now(datetime.UTC)


def real_now() -> datetime.datetime:
    """The machine's own time, in UTC; clients sign their requests with it."""
    return datetime.datetime.fromtimestamp(time_machine.escape_hatch.time.time(), datetime.UTC)


def advanced() -> datetime.timedelta:
    """Return how far the clock has been advanced since the start."""
    return datetime.timedelta(seconds=_offset)


def subscribe(callback: Callable[[datetime.datetime], None]) -> None:
    """Have `callback(moment)` called in the order of subscription, at every tick.

    `moment` is the time that it is; of an advance, the same for all, however long those before took.
    """
    _subscribers.append(callback)


def advancing() -> bool:
    """Return True while the clock is being advanced."""
    return _advancing


def moment() -> float:
    """The epoch second that waiting is counted from: in an advance that of its step, whatever the work in it took."""
    return _step if _advancing else time.time()


def asked_for(start: float, end: float) -> float:
    """Return the seconds of [start, end) (epoch seconds) that were advanced; in all others hardly anything runs."""
    first = max(bisect.bisect_left(_asked_for, (start, start)) - 1, 0)
    spans = _asked_for[first : bisect.bisect_left(_asked_for, (end, end))]
    return sum(max(min(until, end) - max(begin, start), 0.0) for begin, until in spans)


def advance(seconds: int) -> None:
    """Move the clock forward in steps of at most 60 s; returns when all that became due has been done.

    Steps are 60 s apart, however long the work in one takes: the clock is set for each anew, back if it must be. So an
    hour has its sixty minutes on a slow machine too, and nothing comes too late because something else took long. What
    the work in the last step took is time that nobody asked for.
    """
    if seconds < 0:
        raise ValueError(f"the clock only goes forward, not by {seconds} s")
    global _advancing, _step
    with _one_at_a_time:
        begin = time.time()
        _step = math.ceil(
            begin
        )  # whole seconds: what waits for a number of them is due in a step and not just after it
        _advancing = True
        _asked_for.append((begin, begin))
        try:
            for step in _steps(seconds):
                _step += step
                _asked_for[-1] = (begin, _step)
                _shift(_step - time.time())
                _call_subscribers(datetime.datetime.fromtimestamp(_step, datetime.UTC))
        finally:
            _advancing = False


def tick() -> None:
    """Call every subscriber once, with the time that it is."""
    with _one_at_a_time:
        _call_subscribers(now())


def _steps(seconds: int) -> Iterator[int]:
    while seconds > 0:
        yield min(seconds, STEP_SECONDS)
        seconds -= STEP_SECONDS


def _call_subscribers(time_of_step: datetime.datetime) -> None:
    """A subscriber that fails is logged and does not stop the others."""
    for callback in list(_subscribers):
        try:
            callback(time_of_step)
        except Exception:  # the clock must go on for the other services; the log has the trace
            _logger.exception("clock subscriber %s failed", callback)


@contextmanager
def standing_still() -> Iterator[None]:
    """Nobody advances the clock and no subscriber is called."""
    with _one_at_a_time:
        yield


def resume(last: datetime.datetime) -> None:
    """Go on from the last moment of an earlier process; if real time is past it, from the same minute of a later hour.

    What became due in between is over: nobody asked for that time.
    """
    missing = (last - now()).total_seconds()
    _shift(missing if missing >= 0 else missing % HOUR_SECONDS)
    tick()


def child_environment() -> dict[str, str]:
    """Environment additions that put a child on this clock, a Python of localaws' own environment."""
    return {"PYTHONPATH": str(Path(__file__).parent / "child"), "LOCALAWS_CLOCK_FILE": str(_offset_file())}


def _shift(seconds: float) -> None:
    global _offset
    if _travel is None:
        raise RuntimeError("the clock has not been started")
    _travel.shift(seconds)
    _offset += seconds
    replacement = _offset_file().with_suffix(".new")
    replacement.write_text(str(_offset), encoding="ascii")
    replacement.replace(_offset_file())


def _offset_file() -> Path:
    return settings.home() / "clock-offset"
