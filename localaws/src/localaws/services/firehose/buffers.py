"""The buffers of a Firehose stream: for its function, for the bucket, for the bucket's error prefix.

AWS: each of these steps has a buffer of its own, with a size and a time, and tries again what failed. MiniStack: no
buffer at all. Added: the one kind of queue that serves all three, by our clock.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

KEPT_SECONDS = 24 * 3600
LONGEST_WAIT_SECONDS = 120


@dataclass(frozen=True)
class Record:
    """One record: when the stream accepted it and when it came into its present lane are epoch seconds."""

    id: str
    data: bytes
    arrival: float
    entered: float


@dataclass(frozen=True)
class Hints:
    """When a lane's oldest records go: as soon as they are `size` bytes, or have waited `seconds`."""

    size: float
    seconds: float


@dataclass
class Lane:
    """Records that wait for one step, oldest first. A batch that failed is tried again as it was."""

    records: list[Record] = field(default_factory=list)
    failures: int = 0
    _retried: int = 0
    _not_before: float = 0.0

    def due(self, now: float, hints: Hints) -> list[Record]:
        """The batch whose turn has come; empty when none has."""
        if not self.records or now < self._not_before:
            return []
        if self._retried:
            return self.records[: self._retried]
        count = _fitting(self.records, hints.size)
        is_full = count < len(self.records) or size_of(self.records) >= hints.size
        has_waited = now - self.records[0].entered >= hints.seconds
        return self.records[:count] if is_full or has_waited else []

    def succeeded(self, batch: list[Record]) -> None:
        """Let go of a batch."""
        del self.records[: len(batch)]
        self.failures, self._retried, self._not_before = 0, 0, 0.0

    def failed(self, batch: list[Record], now: float) -> None:
        """Keep a batch for its next attempt, after a wait that doubles."""
        self.failures += 1
        self._retried = len(batch)
        self._not_before = now + min(2**self.failures, LONGEST_WAIT_SECONDS)

    def forget_expired(self, now: float) -> int:
        """Drop what Firehose does not keep any longer; how many records that were."""
        lost = sum(now - record.arrival > KEPT_SECONDS for record in self.records)
        del self.records[:lost]
        self._retried = max(self._retried - lost, 0)
        return lost


def size_of(records: Iterable[Record]) -> int:
    """The bytes of the records' data."""
    return sum(len(record.data) for record in records)


def _fitting(records: list[Record], size: float) -> int:
    total = 0
    for count, record in enumerate(records):
        total += len(record.data)
        if total > size and count > 0:
            return count
    return len(records)
