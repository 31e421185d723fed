"""A statement on its way through the engine."""

import re
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from localaws import athena_catalog
from localaws.athena_engine import Engine


@dataclass(frozen=True)
class Statement:
    """A statement on its way: its text, its tree, the database for names without one, and where CTAS may write."""

    sql: str
    tree: exp.Expr
    database: str
    output: str
    engine: Engine
    s3: Any

    @property
    def catalog(self) -> athena_catalog.Catalog:
        """The Glue catalog, as the caller."""
        return self.engine.catalog


def table_of(statement: Statement, found: re.Match[str]) -> athena_catalog.Table:
    """The table that a pattern found, as database in group 1 and name in group 2."""
    return statement.catalog.table(found[1] or statement.database, found[2])
