"""Dataset-level checks over all rows of some days. Findings go to the log and the ledger; no row is rejected.

Only a person can decide whether a sensor is stuck or the weather did not change.
"""

import logging
from collections.abc import Sequence

from pyspark.sql import Row

from lake.contract.model import Contract, Rule
from lake.core.s3 import Location
from lake.tables.base import TableChange
from lake.tables.partition_files import reading
from lake.tables.partition_files.staging import StagingArea

# A fault of many sensors is not better known by the names of all.
NAMED = 20
logger = logging.getLogger(__name__)


def found(area: StagingArea, contract: Contract, changes: Sequence[TableChange]) -> dict[str, list[str]]:
    """Return the findings of the contract's checks by id, for the days of ``changes`` as they will be published.

    A finding is the first column of the check's query, as text; of each check the first ``NAMED``, sorted. Checks that
    find nothing are left out. Nothing is rejected for it.
    """
    if not contract.suspicions or not changes:
        return {}
    keys = _days(area, contract, changes)
    answers = {rule.id: _answer(area, contract, rule, keys) for rule in contract.suspicions}
    named = {rule: sorted(str(row[0]) for row in answer) for rule, answer in answers.items() if answer}
    for rule, names in named.items():
        logger.warning("%s: %s: %d, e.g. %s", contract.name, rule, len(names), ", ".join(names[:NAMED]))
    return {rule: names[:NAMED] for rule, names in named.items()}


def _answer(area: StagingArea, contract: Contract, rule: Rule, keys: Sequence[str]) -> list[Row]:
    none = area.spark.createDataFrame([], contract.ddl)
    columns = reading.read_by(area.spark.sql(rule.condition, rows=none), contract)
    rows = reading.rows(area.spark, contract, area.location.bucket, keys, columns)
    return area.spark.sql(rule.condition, rows=rows).collect()


def _days(area: StagingArea, contract: Contract, changes: Sequence[TableChange]) -> list[str]:
    """Return the keys of the objects that hold the days of the changes, staged ones for those that are replaced."""
    location = area.locations[contract.name]
    replaced = {change.key for change in changes}
    folders = [Location(location.bucket, f"{location.prefix}{day}/") for day in {each.partition for each in changes}]
    there = [entry.key for folder in folders for entry in area.storage.list(folder) if entry.key not in replaced]
    return [*sorted(there), *(change.staged for change in changes)]
