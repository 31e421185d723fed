"""Find breaking changes of contracts before they are deployed.

A dataset that others are made from has producers: stricter requirements break them. Any other dataset has readers: a
removed column, another meaning or a new null breaks them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lake.contract.model import Column, Contract

# Types whose values all fit into the other one, so that no reader has to change (Spark and Athena promote them).
_WIDER = {
    ("tinyint", "smallint"), ("tinyint", "int"), ("tinyint", "bigint"), ("smallint", "int"), ("smallint", "bigint"),
    ("int", "bigint"), ("float", "double"),
}  # fmt: skip

GONE = "none"
RETIRED = "retired"


@dataclass(frozen=True)
class BreakingChange:
    """The breaking changes of one contract; ``changes`` are sentences, ``consumers`` names."""

    dataset: str
    before: str
    after: str
    changes: tuple[str, ...]
    consumers: tuple[str, ...]

    def summary(self) -> str:
        """Return the changes, the consumers that they break and the remedy, as one line of text."""
        major = int(self.before.split(".")[0]) + 1
        changes, consumers = "; ".join(self.changes), ", ".join(self.consumers) or "nobody that a contract names"
        way = (
            f"give the contract version {major}.0.0" if self.after != GONE else f"deploy it with status {RETIRED} first"
        )
        return (
            f"{self.dataset} {self.before} -> {self.after}: {changes}. This breaks: {consumers}. "
            f"Undo the change, or tell them and {way}."
        )


def breaking_changes(before: Mapping[str, Contract], after: Mapping[str, Contract]) -> list[BreakingChange]:
    """Return the breaking changes that come without a new major version, by dataset.

    ``before`` are the deployed contracts and ``after`` those that would be deployed, both by name. A dataset that is
    gone is a breaking change too, unless its status was ``retired``.
    """
    found = []
    produced = {contract.source for contract in (*before.values(), *after.values())}
    for name, old in sorted(before.items()):
        new = after.get(name)
        if new is None and old.status == RETIRED:
            continue
        changes = tuple(_changes(old, new, is_read=name not in produced)) if new else ("the dataset is gone",)
        if changes and not (new and _major(new) > _major(old)):
            version = new.version if new else GONE
            found.append(BreakingChange(name, old.version, version, changes, consumers(old, after)))
    return found


def consumers(contract: Contract, all_contracts: Mapping[str, Contract]) -> tuple[str, ...]:
    """Return the consumers of a dataset: the datasets made from it, and those that its contract names."""
    derived = sorted(other.name for other in all_contracts.values() if contract.name in other.made_from)
    return (*derived, *contract.consumers)


def _major(contract: Contract) -> int:
    return int(contract.version.split(".")[0])


def _changes(old: Contract, new: Contract, is_read: bool) -> Iterator[str]:
    for what in ("path", "format"):
        if getattr(old, what) != getattr(new, what):
            yield f"{what} {getattr(old, what)} becomes {getattr(new, what)}"
    if old.publish_granularity != new.publish_granularity:
        yield f"its publish granularity is {dict(new.publish_granularity)} instead of {dict(old.publish_granularity)}"
    for what in ("key", "partitions"):
        was, now = ([column.name for column in getattr(contract, what)] for contract in (old, new))
        if was != now:
            yield f"{what} {', '.join(was) or 'none'} becomes {', '.join(now) or 'none'}"
    yield from _column_changes(old, new, is_read)


def _column_changes(old: Contract, new: Contract, is_read: bool) -> Iterator[str]:
    now = {column.name: column for column in new.columns}
    for column in old.columns:
        if column.name not in now:
            yield f"column {column.name} is gone"
        else:
            yield from _change(column, now[column.name], is_read)
    if not is_read:
        known = {column.name for column in old.columns}
        yield from (f"column {name} is new and required" for name, c in now.items() if c.required and name not in known)


def _change(old: Column, new: Column, is_read: bool) -> Iterator[str]:
    if old.stored_name != new.stored_name:
        yield f"column {old.stored_name} is stored as {new.stored_name}"
    if old.physical_type != new.physical_type and (old.physical_type, new.physical_type) not in _WIDER:
        yield f"column {old.name} {old.physical_type} becomes {new.physical_type}"
    if is_read and old.required and not new.required:
        yield f"column {old.name} may be null"
    if not is_read and new.required and not old.required:
        yield f"column {old.name} becomes required"
