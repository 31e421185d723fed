"""Count what tasks read: records of each raw object, and how their fields differ from the contract.

Counted where lines are read, so before anything can drop a row. A task that runs twice says the same of its objects.
"""

from collections import Counter
from collections.abc import Mapping

from pyspark import AccumulatorParam, SparkContext

Shapes = Mapping[tuple[str, ...], int]


class _Known(AccumulatorParam[dict[str, Shapes]]):
    def zero(self, value: dict[str, Shapes]) -> dict[str, Shapes]:  # noqa: ARG002 - the name is Spark's
        return {}

    def addInPlace(self, value1: dict[str, Shapes], value2: dict[str, Shapes]) -> dict[str, Shapes]:  # noqa: N802 - the name is Spark's
        value1.update(value2)
        return value1


class Received:
    """The records of each raw object by what the reader found of their fields; complete when Spark has computed."""

    def __init__(self, context: SparkContext) -> None:
        self._known = context.accumulator({}, _Known())

    def add(self, key: str, shapes: Shapes) -> None:
        """Say, in a task, what an object holds: number of records by drift (``RawRecord.drift``)."""
        self._known.add({key: dict(shapes)})

    @property
    def records(self) -> dict[str, int]:
        """Records by object key."""
        return {key: sum(shapes.values()) for key, shapes in self._known.value.items()}

    @property
    def shapes(self) -> Shapes:
        """Records of all objects by drift."""
        found: Counter[tuple[str, ...]] = Counter()
        for shapes in self._known.value.values():
            found.update(shapes)
        return found
