"""Contract rules as Spark conditions. A rule that evaluates to NULL passes; only ``required`` rejects nulls."""

from collections.abc import Iterator
from functools import reduce
from operator import and_
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lake.contract.model import Column as ContractColumn
from lake.contract.model import Contract
from lake.core.errors import ContractError


def _to_the_very_end(pattern: str) -> str:
    """The pattern for Java, whose ``$`` also stands before a last line end; that of contracts does not."""
    is_anchor = pattern.endswith("$") and not pattern.endswith("\\$")
    return f"{pattern[:-1]}\\z" if is_anchor else pattern


def with_reasons(frame: DataFrame, contract: Contract) -> DataFrame:
    """Fill ``reasons`` (array of string) with the id ``rule:column`` of each rule that the row breaks.

    A row that already has reasons could not be parsed; its values are not validated further.
    """
    rules = list(conditions(contract, frame.columns))
    # The array of reasons costs more than the rules, and nearly every row has none.
    is_good = reduce(and_, (F.coalesce(holds, F.lit(True)) for _, holds in rules), F.lit(True))
    broken = [F.when(~holds, F.lit(reason)) for reason, holds in rules]
    found = F.array_distinct(F.array_compact(F.array(*broken)))
    none = F.array().cast("array<string>")
    reasons = F.when(F.size("reasons") > 0, F.col("reasons")).when(is_good, none).otherwise(found)
    return frame.withColumn("reasons", reasons)


def conditions(contract: Contract, present: list[str]) -> Iterator[tuple[str, Column]]:
    """Yield the id of a reason and the condition that a good row meets, for each rule of the contract.

    Rules on one column come for the columns that are ``present`` only, rules on whole rows always.
    """
    for column in contract.columns:
        if column.name in present:
            yield from _column_conditions(column)
    for rule in contract.rules:
        yield rule.id, F.expr(rule.condition)


def _column_conditions(column: ContractColumn) -> Iterator[tuple[str, Column]]:
    value = F.col(column.name)
    if column.required:
        yield f"required:{column.name}", value.isNotNull()
    for word, setting in (column.options or {}).items():
        reason, holds = _option(word, value, setting)
        yield f"{reason}:{column.name}", holds
    if column.valid_values:
        yield f"enum:{column.name}", value.isin(*column.valid_values)


def _option(word: str, value: Column, setting: Any) -> tuple[str, Column]:
    """Return the reason id of a contract option, and its condition."""
    match word:
        case "minimum":
            return "range", value >= F.lit(setting)
        case "maximum":
            return "range", value <= F.lit(setting)
        case "exclusiveMinimum":
            return "range", value > F.lit(setting)
        case "exclusiveMaximum":
            return "range", value < F.lit(setting)
        case "minLength":
            # Spark counts letters by reading the whole text.
            is_long = value != F.lit("") if setting == 1 else F.length(value) >= F.lit(setting)
            return "length", is_long
        case "maxLength":
            return "length", F.length(value) <= F.lit(setting)
        case "pattern":
            return "pattern", value.rlike(_to_the_very_end(setting))
        case _:
            raise ContractError(f"no rule is known for the option '{word}'")
