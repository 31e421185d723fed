"""The engine behind Athena: DuckDB over Arrow data.

AWS: Trino. MiniStack: DuckDB with all files of this machine, with no partitions, and 5 / 2 = 2.5. Added: only the
partitions that a query needs; DuckDB locked, so that SQL reaches no file, no network and no setting; Athena's words for
its errors."""

import re
import threading

import duckdb
import pyarrow as pa
from sqlglot import exp

from localaws.core import clock
from localaws.services.athena import dialect, types
from localaws.services.athena.catalog import Catalog, Partition
from localaws.services.athena.results import QueryCancelled, QueryFailed
from localaws.services.athena.storage import Storage

_LOCKED: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": False,
    "autoload_known_extensions": False,
    "autoinstall_known_extensions": False,
    "python_enable_replacements": False,
    "memory_limit": "2GB",
    "threads": 2,
}

# Athena's words for what DuckDB says.
_MESSAGES = [
    (r"Division by zero", "DIVISION_BY_ZERO: Division by zero"),
    (r'Referenced column "([^"]+)" not found', r"COLUMN_NOT_FOUND: Column '\1' cannot be resolved"),
    (r'does not have a column named "([^"]+)"', r"COLUMN_NOT_FOUND: Column '\1' cannot be resolved"),
    (r"Could not convert string '([^']*)' to (\w+)", r"INVALID_CAST_ARGUMENT: Cannot cast '\1' to \2"),
]


class Engine:
    """Runs the queries of one execution. `interrupt` may come from another thread."""

    def __init__(self, catalog: Catalog, storage: Storage) -> None:
        self.catalog, self._storage = catalog, storage
        self._connection = duckdb.connect(config=_LOCKED)
        self._interrupted = threading.Event()
        # 5 / 2 is 2 and 1 / 0 an error in Trino.
        self._connection.execute("SET TimeZone = 'UTC'; SET integer_division = true; SET lock_configuration = true")

    def query(self, tree: exp.Expr, database: str) -> pa.Table:
        """The rows of a query."""
        tree = dialect.at_time(dialect.expand_views(tree, self.catalog, database), clock.now())
        tree = dialect.name_columns(tree)
        try:
            uses = dialect.uses(tree, self.catalog)
            types.check(tree, uses)
            self._register(uses, dialect.named(tree))
            return self._connection.sql(dialect.to_duckdb(tree)).to_arrow_table()
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            raise self._translated(error) from error

    def interrupt(self) -> None:
        """Cancel the query that runs."""
        self._interrupted.set()
        self._storage.failure = QueryCancelled("Query cancelled by user")
        self._connection.interrupt()

    def close(self) -> None:
        """Free what the connection holds."""
        self._connection.close()

    def _register(self, uses: list[dialect.Use], named: set[str] | None) -> None:
        for number, use in enumerate(uses):
            rows = self._storage.read(use.table, self._chosen(use), named)
            self._connection.register(f"__rows{number}", rows)
            # Athena's timestamp has no zone; the cast is in the view because Arrow cannot do it in a condition.
            zoned = [field.name for field in rows.schema if getattr(field.type, "tz", None)]
            local = ", ".join(f'"{name}" AT TIME ZONE \'UTC\' AS "{name}"' for name in zoned)
            columns = f"* REPLACE ({local})" if zoned else "*"
            view = f'CREATE TEMP VIEW "__table{number}" AS SELECT {columns} FROM __rows{number}'  # noqa: S608 - our own names
            self._connection.execute(view)
            use.node.set("this", exp.to_identifier(f"__table{number}", quoted=True))
            use.node.set("db", None)
            if not use.node.alias:
                use.node.set("alias", exp.TableAlias(this=exp.to_identifier(use.name, quoted=True)))

    def _chosen(self, use: dialect.Use) -> list[Partition]:
        """The partitions that the conditions on their keys leave; the others are not even listed."""
        partitions = self.catalog.partitions(use.table)
        conditions = dialect.partition_conditions(use)
        if not conditions:
            return partitions
        schema = use.table.schema()
        columns = [
            pa.array([partition.values[place] for partition in partitions], schema.field(key).type)
            for place, key in enumerate(use.table.keys)
        ]
        numbers = pa.array(range(len(partitions)), pa.int64())
        self._connection.register("__partitions", pa.table([numbers, *columns], names=["__number", *use.table.keys]))
        where = " AND ".join(f"({dialect.to_duckdb(condition)})" for condition in conditions)
        named = exp.to_identifier(use.name, quoted=True).sql(dialect="duckdb")
        # The condition has been parsed and printed by sqlglot; it is not text from outside.
        query = f"SELECT __number FROM __partitions AS {named} WHERE {where}"  # noqa: S608
        numbered = self._connection.sql(query)
        return [partitions[number] for (number,) in numbered.fetchall()]

    def _translated(self, error: Exception) -> QueryFailed | QueryCancelled:
        if self._interrupted.is_set():
            return QueryCancelled("Query cancelled by user")
        if self._storage.failure is not None:
            return self._storage.failure
        text = str(error)
        for pattern, message in _MESSAGES:
            if found := re.search(pattern, text):
                return QueryFailed(found.expand(message))
        return QueryFailed(f"GENERIC_USER_ERROR: {text}")
