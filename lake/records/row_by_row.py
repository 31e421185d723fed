"""Row by row: apply a transformation that makes one row of each record, and refuse one that does anything else.

A run sees new records only. A sum, a window or a join over them is wrong without a word as soon as a record comes
later, and a dropped row is a record that nobody accounts for. Spark's plan of the transformation tells, before anything
runs.
"""

from collections.abc import Callable, Iterator
from typing import Any

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame

from lake.contract.model import Contract
from lake.core.errors import LakeError

# What the lake adds to the columns of the source, and needs again afterwards.
HIDDEN = ("source_object", "source_line", "arrived_at", "payload", "reasons", "drift")
# Nodes of Spark's logical plan after which there are as many rows as before, each made of one.
_KEEPING = {
    "Project", "SubqueryAlias", "View", "ResolvedHint", "Repartition", "RepartitionByExpression", "Sort",
}  # fmt: skip
_REMEDY = (
    "a transformation with a source sees new records only and makes one row of each; for sums, joins and windows make "
    "a derived dataset: name its inputs in the contract, CONTRIBUTING.md has the steps. To reject a record write a rule"
)


class TransformationRefused(LakeError):
    """A transformation that is not row by row; the message names the rule that it breaks. Nothing was read."""


def applied(frame: DataFrame, transformation: Callable[[DataFrame], DataFrame], target: Contract) -> DataFrame:
    """Return the transformed rows; raises TransformationRefused unless each comes from one row, hidden columns kept."""
    try:
        rows = transformation(frame)
    except AnalysisException as error:
        raise TransformationRefused(f"{target.name}: row-by-row: {_first_line(error)}; {_REMEDY}") from error
    if others := sorted(set(_nodes(rows, frame)) - _KEEPING):
        raise TransformationRefused(f"{target.name}: row-by-row: its transformation has {', '.join(others)}; {_REMEDY}")
    if lacking := [name for name in HIDDEN if name not in rows.columns]:
        raise TransformationRefused(
            f"{target.name}: keeps-columns: its transformation drops {', '.join(lacking)}; add columns with "
            "withColumn, or keep the others with select('*', …)"
        )
    return rows


def _nodes(rows: DataFrame, frame: DataFrame) -> Iterator[str]:
    """Yield the names of the plan's nodes between the rows and the frame that they are made from."""
    end = _plan(frame)
    todo = [_plan(rows)]
    while todo:
        node = todo.pop()
        if node.fastEquals(end):
            continue
        yield str(node.nodeName())
        if node.subqueries().nonEmpty():
            yield "a subquery"
        children = node.children()
        todo += [children.apply(place) for place in range(children.size())]


def _plan(frame: DataFrame) -> Any:
    return frame._jdf.queryExecution().analyzed()


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
