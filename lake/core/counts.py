"""Record counts of a run or of one object, and the check that they balance."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace


@dataclass(frozen=True)
class Counts:
    """Record counts, balanced when received = new + replaced + duplicate + quarantined.

    ``reasons`` counts broken rules; a record may break several. ``drift`` counts records whose fields differ from the
    contract, by kind of difference; runs have it, single objects do not, and it is no part of the equation.
    """

    received: int
    new: int
    replaced: int
    duplicate: int
    quarantined: int
    reasons: Mapping[str, int]
    drift: Mapping[str, int] = field(default_factory=dict, compare=False)

    @property
    def is_reconciled(self) -> bool:
        """Return True if every received record is accounted for."""
        return self.unreconciled == 0

    @property
    def unreconciled(self) -> int:
        """Return the number of records that are missing or surplus, without sign."""
        return abs(self.received - self.new - self.replaced - self.duplicate - self.quarantined)


NOTHING = Counts(0, 0, 0, 0, 0, {})


def total(parts: Iterable[Counts]) -> Counts:
    """Return the sum of the counts, including ``reasons`` and ``drift``; of no counts at all, zeros."""
    sums, reasons, drift = Counter[str](), Counter[str](), Counter[str]()
    for part in parts:
        numbers = asdict(part)
        reasons.update(numbers.pop("reasons"))
        drift.update(numbers.pop("drift"))
        sums.update(numbers)
    return replace(NOTHING, **sums, reasons=dict(sorted(reasons.items())), drift=dict(sorted(drift.items())))
