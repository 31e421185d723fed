"""Two places where DuckDB is more generous with types than Athena.

AWS: refuses to compare a date with text, and a date plus a day is a date. MiniStack: has DuckDB, which turns the text
into a date, and calls the sum a timestamp. Added: Athena's two rules, where the types are certain: columns of tables,
literals and casts.
"""

from sqlglot import exp
from sqlglot.optimizer.scope import traverse_scope

from localaws.services.athena.catalog import Table
from localaws.services.athena.dialect import Use
from localaws.services.athena.results import QueryFailed

_COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.In, exp.Between)
_FAMILIES = {
    "varchar": ("text", "varchar", "char"),
    "date": ("date",),
    "timestamp": ("timestamp", "timestamptz", "timestampntz"),
    "number": ("tinyint", "smallint", "int", "bigint", "float", "double", "decimal"),
    "boolean": ("boolean",),
}
# Athena widens these by itself.
_COMPARABLE = ({"date", "timestamp"},)


def check(tree: exp.Expr, uses: list[Use]) -> None:
    """Raise QueryFailed for a comparison that Athena refuses, and make sums of dates dates, in the tree."""
    tables_by_node = {id(use.node): use.table for use in uses}
    for scope in traverse_scope(tree):
        tables = [tables_by_node[id(source)] for source in scope.sources.values() if id(source) in tables_by_node]
        if len(tables) != len(scope.sources):
            continue  # a column may come from a subquery, whose types are not known here
        columns = _columns(tables)
        for node in list(scope.find_all(exp.Add, exp.Sub, exp.DateAdd, exp.DateSub))[::-1]:
            if _family(node.this, columns) == "date" and (node.expression is None or _is_interval(node)):
                node.replace(exp.cast(node.copy(), "date"))
        for node in scope.find_all(*_COMPARISONS):
            _compare(node, columns)


def _is_interval(node: exp.Expr) -> bool:
    return isinstance(node, (exp.DateAdd, exp.DateSub)) or isinstance(node.expression, exp.Interval)


def _columns(tables: list[Table]) -> dict[str, str]:
    """Columns by name; one that has two types is not in it."""
    found: dict[str, set[str]] = {}
    for table in tables:
        for name, glue_type in {**table.columns, **table.keys}.items():
            found.setdefault(name, set()).add(_family_of_type(glue_type.replace("string", "varchar")))
    return {name: families.pop() for name, families in found.items() if len(families) == 1}


def _compare(node: exp.Expr, columns: dict[str, str]) -> None:
    left = _family(node.this, columns)
    others = [node.args.get(name) for name in ("expression", "low", "high")] + list(node.args.get("expressions") or [])
    for other in others:
        right = _family(other, columns) if other is not None else ""
        if left and right and left != right and {left, right} not in _COMPARABLE:
            text = node.sql(dialect="trino")
            raise QueryFailed(f"TYPE_MISMATCH: Cannot apply operator: {left} compared with {right} in: {text}")


def _family(node: exp.Expr, columns: dict[str, str]) -> str:
    """The family of a type; empty when it is not certain."""
    match node:
        case exp.Paren():
            return _family(node.this, columns)
        case exp.Column():
            return columns.get(node.name.lower(), "")
        case exp.Literal():
            return "varchar" if node.is_string else "number"
        case exp.Cast():
            return _family_of_type(node.to.sql(dialect="duckdb").lower())
    return ""


def _family_of_type(text: str) -> str:
    kind = text.lower().partition("(")[0].strip()
    return next((family for family, kinds in _FAMILIES.items() if kind in kinds), "")
