"""The state of an alarm, from what is known about its data.

AWS: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html. Added to it, because
hardly anything runs here in time that nobody asked for: what is absent from such time is unknown and not missing.
"""

from collections.abc import Sequence
from enum import Enum


class Point(Enum):
    """One period of an alarm's evaluation range. UNKNOWN: nothing came, but what would have sent it did not run."""

    GOOD = "0"
    BREACHING = "X"
    MISSING = "-"
    UNKNOWN = "?"


def next_state(points: Sequence[Point], periods: int, to_alarm: int, treatment: str, state: str) -> str:
    """The state that an alarm "to_alarm out of periods" goes to.

    `points` is the evaluation range, oldest first, and may be longer than `periods`; `treatment` is TreatMissingData,
    `state` the present state. That is kept for "ignore", and when the answer hangs on what is unknown.
    """
    new = _state(_with_unknown_as(Point.MISSING, points), periods, to_alarm, treatment, state)
    if treatment not in ("breaching", "missing"):
        return new
    if_good = _state(_with_unknown_as(Point.GOOD, points), periods, to_alarm, treatment, state)
    return new if new == if_good else state


def _with_unknown_as(known: Point, points: Sequence[Point]) -> list[Point]:
    return [known if point is Point.UNKNOWN else point for point in points]


def _state(points: list[Point], periods: int, to_alarm: int, treatment: str, state: str) -> str:
    """AWS's rules: real points as far as the range has them, the treatment for those that are lacking."""
    real = [point for point in points if point is not Point.MISSING]
    breaching = [point is Point.BREACHING for point in real]
    if len(real) >= periods:
        return _alarm_if(sum(breaching[-periods:]) >= to_alarm)
    if treatment in ("breaching", "notBreaching"):
        filled = (periods - len(real)) * (treatment == "breaching")
        return _alarm_if(sum(breaching) + filled >= to_alarm)
    if sum(breaching) >= to_alarm:
        return "ALARM"
    if not all(breaching):
        return "OK"
    if treatment == "ignore":
        return state
    # All that there is breaches, but it is too little: an alarm only when the oldest of it is old enough.
    is_old_enough = bool(real) and len(points) - points.index(Point.BREACHING) >= to_alarm
    return "ALARM" if is_old_enough else "INSUFFICIENT_DATA"


def _alarm_if(condition: bool) -> str:
    return "ALARM" if condition else "OK"
