"""Athena's SQL on DuckDB: what each expression means, what is refused, and how values are shown."""

import datetime
import re
from pathlib import Path
from typing import Any

import pytest

from localaws.services.athena import dialect, results
from localaws.services.athena.catalog import Catalog
from localaws.services.athena.engine import Engine
from localaws.services.athena.results import QueryFailed, QueryRefused
from localaws.services.athena.storage import Storage

TEXT = (Path(__file__).parent / "athena_expressions.txt").read_text(encoding="utf-8")
EXPRESSIONS = [tuple(line.split(" => ")) for line in TEXT.splitlines() if not line.startswith("#")]


def answer(sql: str) -> results.Result:
    engine = Engine(Catalog(None), Storage(None, None))
    tree = dialect.parse(sql)
    dialect.check_functions(sql, tree)
    try:
        return results.of_query(engine.query(tree, "default"))
    finally:
        engine.close()


@pytest.mark.parametrize(("expression", "result", "kind"), EXPRESSIONS, ids=[e[0] for e in EXPRESSIONS])
def test_an_expression_means_what_it_means_on_athena(expression: str, result: str, kind: str) -> None:
    found = answer(f"SELECT {expression}")
    assert (found.rows, found.columns[0]["Type"]) == ([[None if result == "~" else result]], kind)


def test_every_admitted_function_has_an_expression() -> None:
    shown = set(re.findall(r"\b\w+(?=\()|\b\w+(?=\[)|\bextract\b|\bexists\b|\bmap\b", TEXT.lower()))
    assert dialect.FUNCTIONS - shown == set()


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT 1 / 0", "DIVISION_BY_ZERO"),
        ("SELECT format('%d', 1)", "FUNCTION_NOT_FOUND: function format"),
        ("SELECT read_text('/etc/passwd')", "FUNCTION_NOT_FOUND: function read_text"),
        ("SELECT getenv('HOME')", "FUNCTION_NOT_FOUND: function getenv"),
        ("SELECT timestamp '2026-01-01 00:00:00' AT TIME ZONE 'Asia/Kolkata'", "NOT_SUPPORTED"),
        ("SELECT cast('x' as integer)", "INVALID_CAST_ARGUMENT: Cannot cast 'x' to INT"),
        ("SELECT sum(x) FROM unnest(array[9223372036854775807, 1]) AS t (x)", "NUMERIC_VALUE_OUT_OF_RANGE"),
    ],
)
def test_a_query_fails_for_a_reason(sql: str, reason: str) -> None:
    with pytest.raises(QueryFailed) as caught:
        answer(sql)
    assert str(caught.value).startswith(reason)


@pytest.mark.parametrize(
    "sql",
    ["COPY (SELECT 1) TO '{file}'", "SELECT * FROM '{file}'", "SELECT * FROM read_csv('{file}')", "ATTACH '{file}'"],
)
def test_the_engine_reaches_no_file_even_without_the_checks_in_front(sql: str, tmp_path: Path) -> None:
    file = tmp_path / "secret.csv"
    file.write_text("a\n1\n")
    engine = Engine(Catalog(None), Storage(None, None))
    with pytest.raises(Exception, match=r"disabled by configuration|does not exist"):
        engine._connection.sql(sql.format(file=file)).fetchall()
    assert file.read_text() == "a\n1\n"


def test_the_engine_cannot_be_unlocked() -> None:
    engine = Engine(Catalog(None), Storage(None, None))
    with pytest.raises(Exception, match="locked"):
        engine._connection.execute("SET integer_division = false")


def test_columns_without_a_name_are_numbered_by_position() -> None:
    found = answer("SELECT 1 AS a, 2, count(*) FROM unnest(array[1]) AS t (x)")
    assert [column["Name"] for column in found.columns] == ["a", "_col1", "_col2"]


def test_current_date_and_now_are_one_moment_on_the_clock_of_localaws(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = datetime.datetime(2031, 2, 3, 4, 5, 6, tzinfo=datetime.UTC)
    monkeypatch.setattr("localaws.core.clock.now", lambda: moment)
    assert answer("SELECT current_date, now()").rows == [["2031-02-03", "2031-02-03 04:05:06.000 UTC"]]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELEC 1", "line 1:7: "),
        ("SELECT 1; SELECT 2", "Only one sql statement is allowed"),
        ("", "Only one sql statement"),
    ],
)
def test_what_cannot_be_parsed_is_refused_at_once(sql: str, message: str) -> None:
    with pytest.raises(QueryRefused) as caught:
        dialect.parse(sql)
    assert str(caught.value).startswith(message)


def test_parameters_take_the_place_of_question_marks() -> None:
    tree = dialect.with_parameters(dialect.parse("SELECT ? + ?"), ["1", "41"])
    assert Engine(Catalog(None), Storage(None, None)).query(tree, "default").to_pylist() == [{"_col0": 42}]


def test_a_wrong_number_of_parameters_fails() -> None:
    with pytest.raises(QueryFailed, match="expected 1 but found 0"):
        dialect.with_parameters(dialect.parse("SELECT ?"), [])


def test_the_result_file_quotes_every_value_and_shows_null_as_nothing() -> None:
    found = answer("SELECT 'a\"b' AS x, null AS y, 1 AS z")
    assert found.file() == b'"x","y","z"\n"a""b",,"1"\n'


def test_a_statement_that_is_no_query_has_no_header() -> None:
    found: Any = results.of_lines("tab_name", ["a", "b"])
    assert (found.all_rows(), found.file()) == ([["a"], ["b"]], b"a\nb\n")
