"""The schema of contracts as a JSON Schema, for editors, Terraform users and CI.

``python -m lake.contract.json_schema`` writes contracts/schema.json, ``--check`` compares. Glue jobs have no library
for JSON Schema, so the loader checks contracts by lake/contract/schema.py; a test compares the two.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lake.contract import schema

FILE = Path(__file__).parents[2] / "contracts" / "schema.json"
Schema = dict[str, Any]
_TEXT: Schema = {"type": "string"}
_NUMBER: Schema = {"type": "number"}
_FLAG: Schema = {"type": "boolean"}
_POSITION: Schema = {"type": "integer", "minimum": 1}
_REQUIRED = [
    "apiVersion", "kind", "version", "domain", "description", "team", "schema", "slaProperties", "customProperties",
]  # fmt: skip


def document() -> Schema:
    """Return the JSON Schema (draft 2020-12) of a contract."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Data contract of aws-datalake-platform",
        "description": "The part of the Open Data Contract Standard that the platform understands, and nothing else.",
        **_mapping(
            schema.CONTRACT,
            _REQUIRED,
            apiVersion=_one_of(schema.API_VERSIONS),
            kind=_one_of(schema.KINDS),
            status=_one_of(schema.STATUSES),
            version=_TEXT,
            domain=_TEXT,
            description=_mapping(schema.DESCRIPTION, ["purpose"], purpose=_TEXT),
            team=_mapping(schema.TEAM, ["name"], name=_TEXT),
            schema={"type": "array", "minItems": 1, "items": _dataset()},
            slaProperties=_service_levels(),
            customProperties=_custom_properties(),
        ),
    }


def _dataset() -> Schema:
    rule = _rule(["id", "type", "engine", "implementation", "description"])
    return _mapping(
        schema.DATASET,
        ["name", "physicalName", "physicalType", "properties"],
        name=_TEXT,
        physicalName=_TEXT,
        physicalType=_TEXT,
        properties={"type": "array", "items": _column()},
        quality={"type": "array", "items": rule},
    )


def _column() -> Schema:
    values = {"required": ["arguments"], "properties": {"arguments": {"required": ["validValues"]}}}
    rule = {**_rule(["type"]), **_if({"type": "library"}, values)}
    column = _mapping(
        schema.COLUMN,
        ["name", "physicalType", "description"],
        name=_TEXT,
        physicalType={"anyOf": [_one_of(schema.SIMPLE_TYPES), {"type": "string", "pattern": _nested_types()}]},
        description=_TEXT,
        required=_FLAG,
        primaryKey=_FLAG,
        primaryKeyPosition=_POSITION,
        partitioned=_FLAG,
        partitionKeyPosition=_POSITION,
        encryptedName=_TEXT,
        logicalTypeOptions=_mapping(schema.OPTIONS, []),
        quality={"type": "array", "items": rule},
    )
    positions = [
        _if({"primaryKey": True}, {"required": ["primaryKeyPosition"]}),
        _if({"partitioned": True}, {"required": ["partitionKeyPosition"]}),
    ]
    return {**column, "allOf": positions}


def _nested_types() -> str:
    return f"^(?:{'|'.join(map(re.escape, schema.NESTED_TYPES))})"


def _rule(required: list[str]) -> Schema:
    return _mapping(
        schema.QUALITY,
        required,
        type=_one_of(schema.RULE_TYPES),
        engine=_one_of(schema.ENGINES),
        arguments=_mapping(schema.ARGUMENTS, [], validValues={"type": "array"}),
    )


def _service_levels() -> Schema:
    entry = _mapping(schema.SLA, ["property", "value"], property=_one_of(schema.SLA_NAMES), value=_NUMBER, unit=_TEXT)
    age = {"required": ["unit"], "properties": {"unit": _one_of(schema.SECONDS)}}
    return {"type": "array", "items": {**entry, **_if({"property": "freshness"}, age)}, **_contains("retention")}


def _custom_properties() -> Schema:
    entry = _mapping(schema.CUSTOM, ["property", "value"], property=_one_of(schema.CUSTOM_NAMES))
    values = {
        "publishGranularity": _mapping(schema.GRANULARITY, []),
        "inputs": {"type": "array", "items": _TEXT},
        "consumers": {"type": "array", "items": _TEXT},
        "neighbouringDays": {"type": "integer", "minimum": 0},
    }
    kinds = [_if({"property": name}, {"properties": {"value": value}}) for name, value in values.items()]
    return {"type": "array", "items": {**entry, "allOf": kinds}, **_contains("example")}


def _mapping(words: Iterable[str], required: list[str], /, **known: Schema) -> Schema:
    """Return the schema of an object with these words and no others; ``known`` has the schemas of some of them."""
    properties = {word: known.get(word, {}) for word in sorted(words)}
    return {"type": "object", "additionalProperties": False, "required": required, "properties": properties}


def _one_of(words: Iterable[str]) -> Schema:
    return {"enum": sorted(words)}


def _if(values: dict[str, Any], then: Schema) -> Schema:
    """Return the condition that ``then`` holds where all properties have these values."""
    constants = {name: {"const": value} for name, value in values.items()}
    return {"if": {"required": list(values), "properties": constants}, "then": then}


def _contains(name: str) -> Schema:
    """Return the condition that one entry of a list is the property of that name."""
    return {"contains": {"required": ["property"], "properties": {"property": {"const": name}}}}


def text() -> str:
    """Return the JSON Schema as the text of contracts/schema.json."""
    return json.dumps(document(), indent=2) + "\n"


def main() -> int:
    """Write the schema; with --check return 1 when the file is not current."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; end with 1 when the file is not current")
    if not parser.parse_args().check:
        FILE.write_text(text(), encoding="utf-8")
        return 0
    current = FILE.exists() and FILE.read_text(encoding="utf-8") == text()
    print("" if current else "not current: contracts/schema.json\nrun: make docs")
    return int(not current)


if __name__ == "__main__":
    sys.exit(main())
