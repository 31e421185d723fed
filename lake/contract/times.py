"""The texts that are a moment: raw datasets have times as text, and the datasets made from them as timestamps."""

from typing import NamedTuple

# A regular expression for the whole text; the calendar and the clock have to agree too.
FORM = r"(?!0000)[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?(Z|[+-][0-9]{2}:[0-9]{2})?"


class Example(NamedTuple):
    """A text of the form, and the moment that it is, UTC."""

    text: str
    moment: str


EXAMPLES = (
    Example("2026-11-27T01:00:07Z", "2026-11-27T01:00:07"),
    Example("2026-11-27T01:00", "2026-11-27T01:00:00"),
    Example("2026-11-27T06:45:07.123456789+05:45", "2026-11-27T01:00:07.123456"),
)
# For senders; with the examples all of what FORM says.
SAID = (
    "ISO 8601 with hyphens, `T` and colons; seconds and 1 to 9 digits of their fraction may follow, of which six are "
    "kept, and `Z` or the offset as `+05:45`, at most 18 hours; without one the time is UTC"
)
