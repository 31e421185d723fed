"""The closed schema of a contract: the words of ODCS 3.1 and 3.2 that this project understands, and nothing else.

contracts/schema.json says the same to editors, see lake/contract/json_schema.py.
"""

import difflib
from collections.abc import Iterator
from typing import Any

from lake.core.errors import ContractError

SIMPLE_TYPES = (
    "tinyint", "smallint", "int", "bigint", "float", "double", "boolean", "string", "binary", "date", "timestamp",
)  # fmt: skip
NESTED_TYPES = ("decimal(", "array<", "map<", "struct<")

API_VERSIONS = {"v3.1.0", "v3.2.0"}
KINDS = {"DataContract"}
STATUSES = {"proposed", "draft", "active", "deprecated", "retired"}
QUALITY = {"id", "type", "metric", "mustBe", "arguments", "engine", "implementation", "description"}
# A condition of each row, or a query over all rows of some days.
ENGINES = {"spark", "spark-sql"}
RULE_TYPES = {"library", "custom"}
ARGUMENTS = {"validValues"}
OPTIONS = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "pattern"}
COLUMN = {
    "name", "logicalType", "physicalType", "description", "required", "primaryKey", "primaryKeyPosition", "partitioned",
    "partitionKeyPosition", "encryptedName", "classification", "logicalTypeOptions", "quality", "items", "tags",
}  # fmt: skip
DATASET = {"name", "physicalName", "physicalType", "logicalType", "description", "properties", "quality"}
CONTRACT = {
    "apiVersion", "kind", "id", "name", "version", "status", "domain", "description", "team", "schema",
    "slaProperties", "customProperties",
}  # fmt: skip
DESCRIPTION = {"purpose", "usage", "limitations"}
TEAM = {"name"}
SLA = {"property", "value", "unit"}
SLA_NAMES = {"retention", "freshness", "tolerance", "toleratedRecords"}
# Units of an age, in seconds.
SECONDS = {"m": 60, "h": 3600}
CUSTOM = {"property", "value"}
CUSTOM_NAMES = {"source", "inputs", "neighbouringDays", "publishGranularity", "example", "consumers"}
GRANULARITY = {"date", "hour"}


def check(document: Any, file: str) -> None:
    """Raise ContractError at the first word of ``document`` (a parsed YAML file) that is not in the schema."""
    for place, found, known in _words(document):
        for word in found:
            if word not in known:
                raise ContractError(f"{file}: {place}: '{word}' is not a word here; {_suggestion(str(word), known)}")
    for place, column in _columns(document):
        _check_type(file, place, column)


def _words(document: Any) -> Iterator[tuple[str, Any, set[str]]]:
    """Yield (place, words found there, words known there) for the whole document."""
    yield "contract", document, CONTRACT
    yield "apiVersion", [document.get("apiVersion")], API_VERSIONS
    yield "kind", [document.get("kind")], KINDS
    yield "status", [document.get("status", "active")], STATUSES
    yield "description", document.get("description", {}), DESCRIPTION
    yield "team", document.get("team", {}), TEAM
    for number, dataset in enumerate(document.get("schema", [])):
        yield f"schema[{number}]", dataset, DATASET
        yield from _quality_words(f"schema[{number}]", dataset)
    for place, column in _columns(document):
        yield place, column, COLUMN
        yield f"{place}.logicalTypeOptions", column.get("logicalTypeOptions", {}), OPTIONS
        yield from _quality_words(place, column)
    yield from _property_words(document)


def _property_words(document: Any) -> Iterator[tuple[str, Any, set[str]]]:
    for number, entry in enumerate(document.get("slaProperties", [])):
        yield f"slaProperties[{number}]", entry, SLA
        yield f"slaProperties[{number}].property", [entry.get("property")], SLA_NAMES
        if entry.get("property") == "freshness":
            yield f"slaProperties[{number}].unit", [entry.get("unit")], set(SECONDS)
    for number, entry in enumerate(document.get("customProperties", [])):
        yield f"customProperties[{number}]", entry, CUSTOM
        yield f"customProperties[{number}].property", [entry.get("property")], CUSTOM_NAMES
        if entry.get("property") == "publishGranularity":
            yield f"customProperties[{number}].value", entry.get("value", {}), GRANULARITY


def _quality_words(place: str, owner: Any) -> Iterator[tuple[str, Any, set[str]]]:
    for number, rule in enumerate(owner.get("quality", [])):
        yield f"{place}.quality[{number}]", rule, QUALITY
        yield f"{place}.quality[{number}].type", [rule.get("type")], RULE_TYPES
        yield f"{place}.quality[{number}].engine", [rule["engine"]] if "engine" in rule else [], ENGINES
        yield f"{place}.quality[{number}].arguments", rule.get("arguments", {}), ARGUMENTS


def _columns(document: Any) -> Iterator[tuple[str, Any]]:
    for number, dataset in enumerate(document.get("schema", [])):
        for position, column in enumerate(dataset.get("properties", [])):
            yield f"schema[{number}].properties[{position}] ({column.get('name', 'without a name')})", column


def _check_type(file: str, place: str, column: Any) -> None:
    """Check the column's type. Only types that Glue and Spark spell alike are allowed, so no table translates types."""
    spelled = str(column.get("physicalType"))
    if spelled not in SIMPLE_TYPES and not spelled.startswith(NESTED_TYPES):
        raise ContractError(
            f"{file}: {place}.physicalType: '{spelled}' is not a type here; {_suggestion(spelled, set(SIMPLE_TYPES))}"
        )


def _suggestion(word: str, known: set[str]) -> str:
    likely = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.5)
    return f"did you mean '{likely[0]}'?" if likely else f"known are {', '.join(sorted(known))}"
