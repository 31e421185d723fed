"""Text becomes moments, a column at a time: what form a text has says ``times.FORM``.

Arrow reads the texts of a column that all have the same usual form; of any other column each text is read alone.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from pyarrow import compute

from lake.contract import times

TYPE = pa.timestamp("us", "UTC")
_FORM = re.compile(times.FORM)
# Python takes these for an hour and more.
_SIXTY_MINUTES = re.compile(r"[+-][0-9]{2}:[6-9][0-9]$")
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
# No time zone was ever further away, and Spark reads none that is.
_FURTHEST = timedelta(hours=18)
# Years, fractions and offsets about which Arrow and the calendar agree.
_LOCAL = r"^[12][0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?"
_USUAL = (
    (rf"{_LOCAL}(Z|[+-](0[0-9]|1[0-7]):[0-5][0-9])$", TYPE),
    (rf"{_LOCAL}$", pa.timestamp("us")),
)


def instants(texts: Any) -> Any:
    """Return the moments of an Arrow array of texts; null for null, and for a text that is no moment."""
    for form, read_as in _USUAL:
        if compute.all(compute.match_substring_regex(texts, form), min_count=0).as_py():
            try:
                return texts.cast(read_as).cast(pa.int64()).cast(TYPE)
            except pa.ArrowInvalid:  # the 30th of February
                break
    return pa.array([None if text is None else _microseconds(text) for text in texts.to_pylist()], pa.int64()).cast(
        TYPE
    )


def _microseconds(text: str) -> int | None:
    """Return the time since 1970; without a zone it is UTC, and of the fraction six digits count."""
    if not _FORM.fullmatch(text) or _SIXTY_MINUTES.search(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None if abs(moment.utcoffset() or timedelta()) > _FURTHEST else (moment - _EPOCH) // _MICROSECOND
