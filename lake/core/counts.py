"""What became of the records of a run or of an object, as numbers that must add up."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace


@dataclass(frozen=True)
class Counts:
    """received = new + replaced + duplicate + quarantined; ``reasons`` counts broken rules, several to a record.

    ``drift`` counts the records whose fields are not those of the contract, by what is different; it is known of runs
    only, not of each object, and no part of the equation.
    """

    received: int
    new: int
    replaced: int
    duplicate: int
    quarantined: int
    reasons: Mapping[str, int]
    drift: Mapping[str, int] = field(default_factory=dict, compare=False)

    @property
    def add_up(self) -> bool:
        """Whether every received record is accounted for."""
        return self.unaccounted == 0

    @property
    def unaccounted(self) -> int:
        """How many records are missing or too many."""
        return abs(self.received - self.new - self.replaced - self.duplicate - self.quarantined)


NOTHING = Counts(0, 0, 0, 0, 0, {})


def total(parts: Iterable[Counts]) -> Counts:
    """The sum of counts."""
    sums, reasons, drift = Counter[str](), Counter[str](), Counter[str]()
    for part in parts:
        numbers = asdict(part)
        reasons.update(numbers.pop("reasons"))
        drift.update(numbers.pop("drift"))
        sums.update(numbers)
    return replace(NOTHING, **sums, reasons=dict(sorted(reasons.items())), drift=dict(sorted(drift.items())))
