"""The closed grammar of a contract: the words of ODCS 3.1 that this project understands, and nothing else."""

import difflib
from collections.abc import Iterator
from typing import Any

from lake.core.errors import ContractError

SIMPLE_TYPES = (
    "tinyint", "smallint", "int", "bigint", "float", "double", "boolean", "string", "binary", "date", "timestamp",
)  # fmt: skip
NESTED_TYPES = ("decimal(", "array<", "map<", "struct<")

_QUALITY = {"id", "type", "metric", "mustBe", "arguments", "engine", "implementation", "description"}
# A condition of each row, or a query over all rows of some days.
_ENGINES = {"spark", "spark-sql"}
_OPTIONS = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "pattern"}
_COLUMN = {
    "name", "logicalType", "physicalType", "description", "required", "primaryKey", "primaryKeyPosition", "partitioned",
    "partitionKeyPosition", "encryptedName", "classification", "logicalTypeOptions", "quality", "items", "tags",
}  # fmt: skip
_DATASET = {"name", "physicalName", "physicalType", "logicalType", "description", "properties", "quality"}
_CONTRACT = {
    "apiVersion", "kind", "id", "name", "version", "status", "domain", "description", "team", "schema",
    "slaProperties", "customProperties",
}  # fmt: skip
_SLA = {"property", "value", "unit"}
_SLA_NAMES = {"retention", "freshness", "tolerance", "toleratedRecords"}
# Units of an age, in seconds.
SECONDS = {"m": 60, "h": 3600}
_CUSTOM_NAMES = {"source", "unit", "example", "consumers"}
_UNIT_PARTS = {"date", "hour"}


def check(document: Any, file: str) -> None:
    """Raise ContractError at the first word of ``document`` (a parsed YAML file) that is not in the grammar."""
    for place, found, known in _words(document):
        for word in found:
            if word not in known:
                raise ContractError(f"{file}: {place}: '{word}' is not a word here; {_suggestion(str(word), known)}")
    for place, column in _columns(document):
        _check_type(file, place, column)


def _words(document: Any) -> Iterator[tuple[str, Any, set[str]]]:
    """Yield (place, words found there, words known there) for the whole document."""
    yield "contract", document, _CONTRACT
    yield "description", document.get("description", {}), {"purpose", "usage", "limitations"}
    yield "team", document.get("team", {}), {"name"}
    for number, dataset in enumerate(document.get("schema", [])):
        yield f"schema[{number}]", dataset, _DATASET
        yield from _quality_words(f"schema[{number}]", dataset)
    for place, column in _columns(document):
        yield place, column, _COLUMN
        yield f"{place}.logicalTypeOptions", column.get("logicalTypeOptions", {}), _OPTIONS
        yield from _quality_words(place, column)
    yield from _property_words(document)


def _property_words(document: Any) -> Iterator[tuple[str, Any, set[str]]]:
    for number, entry in enumerate(document.get("slaProperties", [])):
        yield f"slaProperties[{number}]", entry, _SLA
        yield f"slaProperties[{number}].property", [entry.get("property")], _SLA_NAMES
        if entry.get("property") == "freshness":
            yield f"slaProperties[{number}].unit", [entry.get("unit")], set(SECONDS)
    for number, entry in enumerate(document.get("customProperties", [])):
        yield f"customProperties[{number}]", entry, {"property", "value"}
        yield f"customProperties[{number}].property", [entry.get("property")], _CUSTOM_NAMES
        if entry.get("property") == "unit":
            yield f"customProperties[{number}].value", entry.get("value", {}), _UNIT_PARTS


def _quality_words(place: str, owner: Any) -> Iterator[tuple[str, Any, set[str]]]:
    for number, rule in enumerate(owner.get("quality", [])):
        yield f"{place}.quality[{number}]", rule, _QUALITY
        yield f"{place}.quality[{number}].type", [rule.get("type")], {"library", "custom"}
        yield f"{place}.quality[{number}].engine", [rule["engine"]] if "engine" in rule else [], _ENGINES
        yield f"{place}.quality[{number}].arguments", rule.get("arguments", {}), {"validValues"}


def _columns(document: Any) -> Iterator[tuple[str, Any]]:
    for number, dataset in enumerate(document.get("schema", [])):
        for position, column in enumerate(dataset.get("properties", [])):
            yield f"schema[{number}].properties[{position}] ({column.get('name', 'without a name')})", column


def _check_type(file: str, place: str, column: Any) -> None:
    """Only types that Glue and Spark spell alike: no type table exists, so none can be wrong."""
    spelled = str(column.get("physicalType"))
    if spelled not in SIMPLE_TYPES and not spelled.startswith(NESTED_TYPES):
        raise ContractError(
            f"{file}: {place}.physicalType: '{spelled}' is not a type here; {_suggestion(spelled, set(SIMPLE_TYPES))}"
        )


def _suggestion(word: str, known: set[str]) -> str:
    likely = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.5)
    return f"did you mean '{likely[0]}'?" if likely else f"known are {', '.join(sorted(known))}"
