"""Athena's SQL made into DuckDB's: parsed by sqlglot, with what the two understand differently changed or refused.

AWS: Trino. MiniStack: hands the text to DuckDB, which has other functions, names and arithmetic, compares a date with
text, and calls a date plus a day a timestamp. Added: what follows, and athena_types.py.
Functions are admitted by a list, because a name that both engines know can mean different things in them (format, for
one), and one that only DuckDB knows would work here and fail on AWS.
"""

import datetime
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.scope import Scope, traverse_scope
from sqlglot.tokenizer_core import TokenType

from localaws.services.athena.catalog import Catalog, Table
from localaws.services.athena.results import QueryFailed, QueryRefused

# Checked one by one against Athena's meaning in localaws/tests/athena_expressions.txt.
_FUNCTION_NAMES = """
    abs any_value approx_distinct approx_percentile arbitrary array array_agg array_distinct array_join array_sort
    avg bitwise_and bool_and bool_or cardinality cast ceil ceiling chr coalesce concat contains count count_if
    cume_dist date date_add date_diff date_format date_parse date_trunc day day_of_week dense_rank element_at exists
    exp extract filter first_value flatten floor from_iso8601_date from_iso8601_timestamp from_unixtime greatest
    hour if json_array_length json_extract json_extract_scalar json_format json_parse lag last_day_of_month
    last_value lead least length levenshtein_distance ln log10 lower lpad ltrim map map_keys map_values max max_by
    md5 min min_by minute mod month now nth_value ntile nullif percent_rank pow power quarter rand random rank
    reduce regexp_extract regexp_like regexp_replace replace reverse round row row_number rpad rtrim second sequence
    sha256 split split_part sqrt starts_with stddev stddev_pop stddev_samp strpos substr substring sum to_hex
    to_unixtime to_utf8 transform trim truncate try try_cast unnest upper uuid var_pop var_samp variance year
"""
FUNCTIONS = frozenset(_FUNCTION_NAMES.split())

# Words that may stand before a bracket and are no functions.
_WORD_NAMES = """
    all and any as between by case char cross cube decimal distinct double else end except from grouping having in
    intersect interval is join lateral like not offset on or over partition recursive rollup select sets some then
    time timestamp union using values varbinary varchar when where with within
"""
_WORDS = frozenset(_WORD_NAMES.split())

_NAMED = (exp.Alias, exp.Aliases, exp.Column, exp.Dot, exp.Star)


@dataclass(frozen=True)
class Use:
    """One place where a query reads a table: `node` stands for it in the tree, `name` is what the query calls it."""

    table: Table
    node: exp.Table
    name: str
    scope: Scope


def parse(sql: str) -> exp.Expr:
    """The one statement in the text; raises QueryRefused as Athena refuses to start what it cannot parse."""
    try:
        statements = [tree for tree in sqlglot.parse(sql, dialect="athena") if tree is not None]
    except SqlglotError as error:
        raise QueryRefused(_syntax_message(error)) from error
    if len(statements) != 1:
        raise QueryRefused(f"Only one sql statement is allowed. Got: {sql}")
    return statements[0]


def check_functions(sql: str, tree: exp.Expr) -> None:
    """Raise QueryFailed for a function that is not known to mean the same here as on Athena."""
    tokens = sqlglot.tokenize(sql, dialect="athena")
    allowed = FUNCTIONS | _WORDS | {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    names_columns = (TokenType.ALIAS, TokenType.R_PAREN)  # of an alias, as in UNNEST(x) AS t (y)
    for before, token, after in zip([tokens[0], *tokens], tokens, tokens[1:], strict=False):
        is_called = after.token_type == TokenType.L_PAREN and token.token_type != TokenType.IDENTIFIER
        name = token.text.lower()
        if is_called and name.isidentifier() and name not in allowed and before.token_type not in names_columns:
            raise QueryFailed(f"FUNCTION_NOT_FOUND: function {name} does not exist or is not supported locally")


def with_parameters(tree: exp.Expr, values: list[str]) -> exp.Expr:
    """Put the ExecutionParameters, which are SQL literals, in the place of the question marks."""
    places = list(tree.find_all(exp.Placeholder))
    if len(places) != len(values):
        wrong = f"expected {len(places)} but found {len(values)}"
        raise QueryFailed(f"INVALID_PARAMETER_USAGE: Incorrect number of parameters: {wrong}")
    for place, value in zip(places, values, strict=True):
        place.replace(sqlglot.parse_one(value, dialect="athena"))
    return tree


def at_time(tree: exp.Expr, now: datetime.datetime) -> exp.Expr:
    """Make the current date and time constants: one moment for the whole query, on localaws' clock."""
    date = exp.cast(exp.Literal.string(now.date().isoformat()), "date")
    moment = exp.cast(exp.Literal.string(now.isoformat(timespec="milliseconds")), "timestamptz")

    def replaced(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.CurrentDate):
            return date.copy()
        if isinstance(node, (exp.CurrentTimestamp, exp.CurrentDatetime)):
            return moment.copy()
        if isinstance(node, (exp.AtTimeZone, exp.Localtime, exp.Localtimestamp)):
            raise QueryFailed("NOT_SUPPORTED: AT TIME ZONE and local time are not supported locally")
        return node

    return tree.transform(replaced)


def named(tree: exp.Expr) -> set[str] | None:
    """Every name in the query, its columns among them; None when a * asks for all that there are."""
    if any(not isinstance(star.parent, exp.Count) for star in tree.find_all(exp.Star)):
        return None
    return {identifier.name.lower() for identifier in tree.find_all(exp.Identifier)}


def name_columns(tree: exp.Expr) -> exp.Expr:
    """Name what has no name as Trino does: _col and its position."""
    for select in tree.find_all(exp.Select):
        for position, projection in enumerate(select.expressions):
            if not isinstance(projection, _NAMED):
                projection.replace(exp.alias_(projection.copy(), f"_col{position}"))
    return tree


def expand_views(tree: exp.Expr, catalog: Catalog, database: str, depth: int = 0) -> exp.Expr:
    """Put the query of each view in its place, and the database's name to each table without one."""
    if depth > 10:
        raise QueryFailed("VIEW_IS_RECURSIVE: views are nested more than 10 deep")
    for node in _tables(tree):
        node.set("db", exp.to_identifier(node.db or database))
        if node.catalog.lower() not in ("", "awsdatacatalog"):
            raise QueryFailed(f"CATALOG_NOT_FOUND: Catalog '{node.catalog}' does not exist")
        node.set("catalog", None)
        table = catalog.table(node.db, node.name)
        if table.view_sql is not None:
            query = expand_views(parse(table.view_sql), catalog, table.database, depth + 1)
            node.replace(exp.Subquery(this=query, alias=exp.TableAlias(this=exp.to_identifier(node.alias_or_name))))
    return tree


def uses(tree: exp.Expr, catalog: Catalog) -> list[Use]:
    """Return the places where the query reads a table; needs expanded views and named databases."""
    found = []
    for scope in traverse_scope(tree):
        for name, source in scope.sources.items():
            if isinstance(source, exp.Table) and source.db:
                found.append(Use(catalog.table(source.db, source.name), source, name, scope))
    return found


def partition_conditions(use: Use) -> list[exp.Expr]:
    """The parts of WHERE about nothing but this table's partition keys, which so decide what is read at all."""
    where = use.scope.expression.args.get("where")
    joins = use.scope.expression.args.get("joins") or []
    # On the side of an outer join that may be missing, `IS NULL` holds for rows that no partition has.
    if where is None or any(join.side for join in joins):
        return []
    parts = list(where.this.flatten()) if isinstance(where.this, exp.And) else [where.this]
    return [part for part in parts if _only_about_keys(part, use)]


def to_duckdb(tree: exp.Expr) -> str:
    """The text for DuckDB."""
    return tree.sql(dialect="duckdb")


def _only_about_keys(part: exp.Expr, use: Use) -> bool:
    if part.find(exp.Query, exp.Window, exp.AggFunc):
        return False
    only_source = len(use.scope.sources) == 1
    columns = list(part.find_all(exp.Column))
    owned = all(column.table == use.name or (not column.table and only_source) for column in columns)
    return bool(columns) and owned and all(column.name.lower() in use.table.keys for column in columns)


def _tables(tree: exp.Expr) -> list[exp.Table]:
    sources = [source for scope in traverse_scope(tree) for source in scope.sources.values()]
    return list({id(s): s for s in sources if isinstance(s, exp.Table) and s.name}.values())


def _syntax_message(error: SqlglotError) -> str:
    details = getattr(error, "errors", None)
    if not details:
        return f"Queries of this type are not supported: {error}"
    first = details[0]
    return f"line {first.get('line')}:{first.get('col')}: {first.get('description')}"
