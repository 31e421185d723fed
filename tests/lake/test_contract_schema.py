"""contracts/schema.json says what the loader says: what one refuses, the other refuses too."""

import copy
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from lake.contract import json_schema, model
from lake.core.errors import ContractError

SCHEMA = json.loads(json_schema.FILE.read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
CONTRACTS = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in model.files()}
WRONG = "zzz"
# What a contract says about itself that no schema of its words can check.
ABOUT_MEANING = (
    "is not in the key", "stands there twice", "only a string can have", "must be required", "every run writes it",
    "row by row from its source, or", "has neighbouring days", "encrypts nothing", "publishGranularity.date is missing",
)  # fmt: skip


def refusal(document: Any) -> str:
    """Why the loader refuses a document; empty when it takes it."""
    try:
        model.parse(document, "changed.yaml")
    except ContractError as error:
        return str(error)
    return ""


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every mapping, list and value of a document."""
    yield place
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in inside:
        yield from places(inner, (*place, name))


def at(document: Any, place: tuple[Any, ...]) -> Any:
    for name in place:
        document = document[name]
    return document


def with_unknown_words(document: Any) -> Iterator[tuple[str, Any]]:
    for place in places(document):
        if isinstance(at(document, place), dict):
            changed = copy.deepcopy(document)
            at(changed, place)[WRONG] = 1
            yield f"{place} with one more word", changed


def with_something_missing(document: Any) -> Iterator[tuple[str, Any]]:
    for place in places(document):
        if place:
            changed = copy.deepcopy(document)
            del at(changed, place[:-1])[place[-1]]
            yield f"without {place}", changed


def with_other_words(document: Any) -> Iterator[tuple[str, Any]]:
    for place in places(document):
        if place and isinstance(at(document, place), str):
            changed = copy.deepcopy(document)
            at(changed, place[:-1])[place[-1]] = WRONG
            yield f"{place} says {WRONG}", changed


@pytest.mark.parametrize("name", CONTRACTS)
def test_every_contract_is_valid(name: str) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(CONTRACTS[name])] == []


def test_the_file_is_current_and_itself_a_schema() -> None:
    done = subprocess.run([sys.executable, "-m", "lake.contract.json_schema", "--check"], check=False)
    assert done.returncode == 0
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_contract_with_an_unknown_word_or_without_something_is_refused_by_both_or_by_none(name: str) -> None:
    document = CONTRACTS[name]
    changes = [*with_unknown_words(document), *with_something_missing(document)]
    verdicts = [(what, refusal(changed), VALIDATOR.is_valid(changed)) for what, changed in changes]
    assert sum(bool(refused) for _, refused, _ in verdicts) > 20 + 4 * len(document["schema"][0]["properties"])
    syntax = [verdict for verdict in verdicts if not any(words in verdict[1] for words in ABOUT_MEANING)]
    assert [(what, refused) for what, refused, is_valid in syntax if bool(refused) == is_valid] == []


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_contract_with_another_word_that_the_loader_refuses_is_refused_by_the_schema_too(name: str) -> None:
    verdicts = [(what, refusal(changed), changed) for what, changed in with_other_words(CONTRACTS[name])]
    refused = [verdict for verdict in verdicts if verdict[1] and not any(word in verdict[1] for word in ABOUT_MEANING)]
    assert len(refused) > 5
    assert [(what, why) for what, why, changed in refused if VALIDATOR.is_valid(changed)] == []


@pytest.mark.parametrize("version", ["v3.1.0", "v3.2.0"])
def test_both_versions_of_the_standard_are_taken(version: str) -> None:
    document = {**CONTRACTS["curated_weather"], "apiVersion": version}
    assert (refusal(document), VALIDATOR.is_valid(document)) == ("", True)


@pytest.mark.parametrize(
    ("word", "value", "known"),
    [
        ("apiVersion", "v3.0.2", "did you mean 'v3."),
        ("apiVersion", None, "known are v3.1.0, v3.2.0"),
        ("kind", "X", "DataContract"),
    ],
)
def test_another_version_or_kind_is_refused_with_those_that_are_known(word: str, value: str | None, known: str) -> None:
    document = {**CONTRACTS["curated_weather"], word: value}
    assert known in refusal(document)
    assert not VALIDATOR.is_valid(document)


def test_an_editor_finds_the_schema_from_every_contract() -> None:
    first = "# yaml-language-server: $schema=../schema.json\n"
    without = [path.name for path in model.files() if not path.read_text(encoding="utf-8").startswith(first)]
    assert without == []
    assert (model.files()[0].parent / Path("../schema.json")).resolve() == json_schema.FILE.resolve()
