"""The glossary has our own words and no others; decisions and debts have their form."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import get_args

import pytest

from lake.contract import schema
from lake.core.counts import Counts
from lake.runs.manifest import Kind
from tests.docs.test_readme import tracked
from tests.tiers import TIERS

REPOSITORY = Path(__file__).parents[2]
GLOSSARY = REPOSITORY / "docs" / "glossary.md"
RECORDS = sorted((REPOSITORY / "docs" / "adr").glob("[0-9]*.md"))
DEBTS = (REPOSITORY / "docs" / "debt.md").read_text(encoding="utf-8")
PAGES = [
    GLOSSARY,
    REPOSITORY / "docs" / "debt.md",
    REPOSITORY / "SECURITY.md",
    REPOSITORY / "CODE_OF_CONDUCT.md",
    REPOSITORY / "docs" / "adr" / "README.md",
    *RECORDS,
]
TEXT = (".py", ".md", ".tf", ".yaml", ".yml", ".toml")
# Properties of a contract that the Open Data Contract Standard or everybody knows by that name.
KNOWN_PROPERTIES = {"freshness", "retention"}
# Objects in the ledger and runs: the states that code writes with capital letters.
# First words after which a reader does not know yet what the sentence is about.
PRONOUNS = {"What", "Who", "Whose", "Whom", "Whether", "Which", "Where", "How", "That"}
CODE = ("lake/", "lambdas/", "glue_jobs/", "scripts/", "simulators/", "demos/", "drills/", "localaws/src/")
STATES = re.compile(r'"status": "([A-Z]+)"')


def rows(page: str) -> list[list[str]]:
    """The cells of all rows of all tables of a page, without their heads."""
    lines = [line for line in page.splitlines() if line.startswith("| ")]
    heads = {line for line, below in zip(page.splitlines(), page.splitlines()[1:], strict=False) if below[:4] == "|---"}
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line not in heads]


ENTRIES = {row[0]: row for row in rows(GLOSSARY.read_text(encoding="utf-8"))}


def everything_else() -> str:
    """All text of the repository besides the glossary and this test."""
    paths = [REPOSITORY / path for path in tracked() if path.endswith(TEXT)]
    return "\n".join(
        path.read_text(encoding="utf-8") for path in paths if path.exists() and path not in (GLOSSARY, Path(__file__))
    )


def states() -> set[str]:
    """The states of runs and raw objects that the ledger writes."""
    ledger = (REPOSITORY / "lake" / "runs" / "ledger.py").read_text(encoding="utf-8")
    return set(STATES.findall(ledger))


def test_an_entry_is_one_sentence_and_stands_there_once() -> None:
    found = rows(GLOSSARY.read_text(encoding="utf-8"))
    assert len(found) == len(ENTRIES) > 50
    assert [word for word, means, _ in found if not means.endswith(".") or ". " in means] == []


def test_the_entries_of_a_table_are_in_alphabetical_order() -> None:
    for table in GLOSSARY.read_text(encoding="utf-8").split("\n## ")[1:]:
        words = [row[0].lower() for row in rows(table)]
        assert words == sorted(words)


def test_every_entry_is_used_somewhere() -> None:
    text = everything_else()
    unused = [word for word in ENTRIES if not re.search(rf"(?<![a-z]){re.escape(word)}", text, re.IGNORECASE)]
    assert unused == []


def test_words_that_our_own_tables_contracts_runs_and_tests_consist_of_have_an_entry() -> None:
    counts = {name for name, field in Counts.__dataclass_fields__.items() if field.type == "int" or field.type is int}
    properties = (schema.CUSTOM_NAMES | schema.SLA_NAMES) - KNOWN_PROPERTIES
    words = {*get_args(Kind), *counts, *properties, *TIERS}
    assert len(words) > 20
    assert sorted(words - ENTRIES.keys()) == []


def test_states_in_the_ledger_have_an_entry() -> None:
    entries = "\n".join(" ".join(row) for row in ENTRIES.values())
    assert len(states()) > 4
    assert [state for state in states() if state not in entries] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_path_that_a_page_links_or_quotes_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text) if not (page.parent / link).exists()]
    quoted = re.findall(r"`((?:lake|docs|tests|scripts|terraform|contracts)/[\w./]*)`", text)
    assert (links, [name for name in quoted if not (REPOSITORY / name).exists()]) == ([], [])


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_a_decision_has_its_number_day_context_decision_and_consequences(record: Path) -> None:
    text = record.read_text(encoding="utf-8")
    assert re.match(rf"# {record.stem[:4]}: .+\n\nDate: 20\d\d-\d\d-\d\d\n", text)
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]


def test_the_index_of_decisions_has_each_with_its_title() -> None:
    index = (REPOSITORY / "docs" / "adr" / "README.md").read_text(encoding="utf-8")
    titles = {record.name: record.read_text(encoding="utf-8").split("\n")[0][len("# 0000: ") :] for record in RECORDS}
    assert len(titles) > 7
    listed = dict(re.findall(r"^\| \[\d{4}\]\((.+?)\) \| (.+) \|$", index, re.MULTILINE))
    assert listed == titles


def test_a_debt_has_a_number_of_its_own_a_consequence_and_an_end() -> None:
    debts = rows(DEBTS)
    # A number is never given twice, so rows that are done leave holes.
    numbers = [int(row[0].removeprefix("D")) for row in debts]
    assert numbers == sorted(set(numbers))
    assert numbers
    assert [row[0] for row in debts if len(row) != 4 or not all(row)] == []


def docstrings(path: str) -> list[str]:
    """All docstrings of a file."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = ast.walk(ast.parse((REPOSITORY / path).read_text(encoding="utf-8")))
    return [ast.get_docstring(node) or "" for node in nodes if isinstance(node, kinds)]


def test_no_docstring_begins_with_a_pronoun() -> None:
    # The functions in drills/<pipeline>/ are the causes and observations of a story that reads from top to bottom.
    files = [path for path in tracked() if path.startswith(CODE) and path.endswith(".py")]
    plain = [path for path in files if not re.match(r"drills/\w+/", path) and (REPOSITORY / path).exists()]
    found = [(path, text) for path in plain for text in docstrings(path)]
    assert len(found) > 500
    assert [(path, text) for path, text in found if text.partition(" ")[0] in PRONOUNS] == []


def classes_of_errors(trees: Iterable[ast.Module]) -> set[str]:
    """The names of the exceptions that these modules define."""
    bases = {
        node.name: {ast.unparse(base).rpartition(".")[2] for base in node.bases}
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    errors: set[str] = set()
    while more := {name for name, above in bases.items() if above & (errors | {"Exception"})} - errors:
        errors |= more
    return errors


def public_functions(body: Iterable[ast.stmt]) -> Iterator[ast.FunctionDef]:
    """The functions and methods whose names, and whose classes' names, begin with no underscore."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node.body)
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node


def raised(node: ast.AST) -> Iterator[str]:
    """The names of the exceptions that the code of a function makes and raises itself."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Raise) and isinstance(child.exc, ast.Call):
            yield ast.unparse(child.exc.func).rpartition(".")[2]
        if not isinstance(child, ast.FunctionDef | ast.ClassDef):
            yield from raised(child)


def test_a_public_function_names_the_errors_of_ours_that_it_raises() -> None:
    files = [path for path in tracked() if re.fullmatch(r"lake/.*\.py", path) and (REPOSITORY / path).exists()]
    trees = {path: ast.parse((REPOSITORY / path).read_text(encoding="utf-8")) for path in files}
    errors = classes_of_errors(trees.values())
    raising = [
        (path, function.name, error, ast.get_docstring(function) or "")
        for path, tree in trees.items()
        for function in public_functions(tree.body)
        for error in errors & set(raised(function))
    ]
    assert len(raising) > 30
    unnamed = [(path, name, error) for path, name, error, text in raising if not re.search(rf"\b{error}\b", text)]
    assert unnamed == []
