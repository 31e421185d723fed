"""Cut a set of groups of tests into parts that take about the same time.

pytest-split cuts between tests of one file, so that two shards would both pay for the deployed lake of that file.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Shard:
    """Part ``number`` (from 1) of ``total``."""

    number: int
    total: int


def parsed(text: str) -> Shard:
    """The shard that ``k/n`` says; raises ValueError when it does not say one."""
    number, _, total = text.partition("/")
    shard = Shard(int(number), int(total))
    if not 1 <= shard.number <= shard.total:
        raise ValueError(f"{text} is no part of a whole: k/n with 1 <= k <= n")
    return shard


def cut(groups: Iterable[str], seconds: Mapping[str, float], shard: Shard) -> set[str]:
    """The groups of that shard: the longest first, each to the part that has least until then.

    A group that was never measured counts as the median of those that were, and as a second at least.
    """
    usual = max(median(seconds.values()), 1.0) if seconds else 1.0
    parts: list[set[str]] = [set() for _ in range(shard.total)]
    load = [0.0] * shard.total
    for group in sorted(groups, key=lambda name: (-seconds.get(name, usual), name)):
        least = min(range(shard.total), key=lambda part: (load[part], len(parts[part])))
        parts[least].add(group)
        load[least] += seconds.get(group, usual)
    return parts[shard.number - 1]
