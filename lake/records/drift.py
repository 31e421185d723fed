"""Schema drift: fields of raw records that differ from the contract.

added: kept in raw, read by nothing, until the contract has a column for it.
removed: a field that no record of the run has, and those are not few; null, or quarantined when it is required.
renamed: a field that is missing in records that have another one instead; both of the above at once.
retyped: quarantined; a record is never half read.
"""

from collections import Counter
from collections.abc import Mapping
from difflib import get_close_matches

# As a name changes by case, by a prefix or in one word; names that have nothing in common are no renaming.
_LIKENESS = 0.6
# So many records do not all lack an optional field by chance; one that somebody has written by hand may.
_MANY = 10
# An item of DynamoDB holds 400 kB, and whoever sends values as names sends a new name with each record.
MOST_NAMED = 100
OTHER = "other"
# A task and the driver hold the shapes of all objects of a run, and a shape may be 20 long names.
MOST_SHAPES = 100
_MOST_SAID = 10


def add(shapes: Counter[tuple[str, ...]], more: Mapping[tuple[str, ...], int]) -> None:
    """Add ``more`` to the ``shapes`` of one object, of which at most ``MOST_SHAPES`` keep the names of added fields.

    Whoever sends values as names sends a new shape with each record.
    """
    for shape, records in more.items():
        if shape not in shapes and len(shapes) >= MOST_SHAPES:
            shape = _without_names(shape, len(shapes) >= 2 * MOST_SHAPES)
        shapes[shape] += records


def found(shapes: Mapping[tuple[str, ...], int]) -> dict[str, int]:
    """Return the number of records by drift, e.g. ``{"added:pm10": 12, "renamed:aqi->AQI": 5}``.

    ``shapes`` counts records by what the reader found of their fields: ``added:``, ``missing:`` and ``retyped:``. A
    field that only some records lack is no drift: it may be null. The ``MOST_NAMED`` most frequent changes have a name;
    the counts of all others are added up as ``OTHER``.
    """
    missing = Counter[str]()
    drift = Counter[str]()
    for shape, records in shapes.items():
        renamed = _renamed(_named(shape, "missing"), _named(shape, "added"))
        for name in _named(shape, "missing") - renamed.keys():
            missing[name] += records
        for change in _changes(shape, renamed):
            drift[change] += records
    everything = sum(shapes.values())
    if everything >= _MANY:
        drift.update({f"removed:{name}": records for name, records in missing.items() if records == everything})
    return _bounded(drift)


def _without_names(shape: tuple[str, ...], of_contract_too: bool) -> tuple[str, ...]:
    """Return a shape of which there are few: its fields of the contract, or that there was something."""
    kept = tuple(text for text in shape if not text.startswith("added:"))
    if of_contract_too:
        return (OTHER,) if shape else shape
    return kept if len(kept) == len(shape) else (*kept, OTHER)


def said(drift: Mapping[str, int], form: str) -> str:
    """Return the most frequent changes as text, and how many more there are.

    ``form`` is a format string with two places: the change, and the number of its records.
    """
    ranked = _ranked(drift)
    listed = ", ".join(form.format(change, records) for change, records in ranked[:_MOST_SAID])
    return listed if len(ranked) <= _MOST_SAID else f"{listed} and {len(ranked) - _MOST_SAID} more"


def _bounded(drift: Mapping[str, int]) -> dict[str, int]:
    ranked = _ranked(drift)
    named = [change for change in ranked if change[0] != OTHER][:MOST_NAMED]
    others = sum(drift.values()) - sum(records for _, records in named)
    return dict(sorted(named)) | ({OTHER: others} if others else {})


def _ranked(drift: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(drift.items(), key=lambda counted: (-counted[1], counted[0]))


def _changes(shape: tuple[str, ...], renamed: Mapping[str, str]) -> list[str]:
    added = _named(shape, "added") - set(renamed.values())
    return [
        *(text for text in shape if text == OTHER),
        *(f"added:{name}" for name in added),
        *(f"renamed:{old}->{new}" for old, new in renamed.items()),
        *(f"retyped:{name}" for name in _named(shape, "retyped")),
    ]


def _renamed(missing: set[str], added: set[str]) -> dict[str, str]:
    """Return pairs of missing and added fields with similar names."""
    free = {name.casefold(): name for name in sorted(added)}
    pairs = {}
    for name in sorted(missing):
        for like in get_close_matches(name.casefold(), free, n=1, cutoff=_LIKENESS):
            pairs[name] = free.pop(like)
    return pairs


def _named(shape: tuple[str, ...], kind: str) -> set[str]:
    return {text.partition(":")[2] for text in shape if text.startswith(f"{kind}:")}
