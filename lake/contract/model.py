"""The contract of a dataset: the only place where its columns, key, rules, publish granularity and tolerance stand."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from lake.contract import schema
from lake.core.errors import ContractError

QUARANTINE_TEMPLATE = "quarantine"
# What a run writes beside what a row says: of a record that arrived, and of any row.
_OF_A_RUN = ("run_id",)
_OF_A_RECORD = ("arrived_at", "source_object", "source_line", *_OF_A_RUN)


@dataclass(frozen=True)
class Column:
    """One column as the contract has it; ``encrypted_name`` is the name under which its token is stored."""

    name: str
    physical_type: str
    description: str
    required: bool = False
    key_position: int | None = None
    partition_position: int | None = None
    encrypted_name: str | None = None
    options: Mapping[str, Any] | None = None
    valid_values: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    @property
    def stored_name(self) -> str:
        """The column's name in the table."""
        return self.encrypted_name or self.name

    @property
    def stored_type(self) -> str:
        """The column's type in the table; a token is always a string."""
        return "string" if self.encrypted_name else self.physical_type


@dataclass(frozen=True)
class Rule:
    """A rule on whole rows: ``condition`` is Spark SQL that is true for a valid row.

    For a dataset-level check, ``condition`` is a query over ``{rows}``, all rows of some days; the first column of its
    result names the findings.
    """

    id: str
    condition: str
    description: str


@dataclass(frozen=True)
class Contract:
    """One dataset; ``example`` is a query on it, ``consumers`` are those who rely on it.

    ``publish_granularity`` maps ``date``, and ``hour`` if there is one, to the key column that they are taken from:
    rows that agree in them share a partition file.

    A run may quarantine ``tolerated_records`` records or the ratio ``tolerance`` of what it received, if more.

    ``status`` is that of the standard; a ``retired`` dataset may be removed.

    ``freshness_seconds`` is the age of the newest data at which an alarm rings, None without an alarm.

    A dataset is made row by row from the raw dataset ``source``, or derived from all rows of the curated datasets
    ``inputs``, or neither: then it is what arrives. The rows of a day follow from the inputs of that day and of
    ``neighbouring_days`` days before and after it.
    """

    name: str
    version: str
    domain: str
    purpose: str
    usage: str
    limitations: str
    owner: str
    path: str
    format: str
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...]
    suspicions: tuple[Rule, ...]
    retention_days: int
    tolerance: float
    tolerated_records: int
    freshness_seconds: int | None
    source: str | None
    publish_granularity: Mapping[str, str]
    example: str
    inputs: tuple[str, ...] = ()
    neighbouring_days: int = 0
    consumers: tuple[str, ...] = ()
    status: str = "active"

    @property
    def made_from(self) -> tuple[str, ...]:
        """The names of the datasets that this one is made from; none for a dataset that keeps what arrives."""
        return (self.source,) if self.source else self.inputs

    @property
    def has_quarantine(self) -> bool:
        """True if the dataset has a quarantine table, which keeps records that arrived and broke a rule."""
        return self.source is not None

    @property
    def key(self) -> tuple[Column, ...]:
        """The columns that identify a record, in order."""
        keyed = [column for column in self.columns if column.key_position is not None]
        return tuple(sorted(keyed, key=lambda column: column.key_position or 0))

    @property
    def partitions(self) -> tuple[Column, ...]:
        """The columns that are folders, in order."""
        folders = [column for column in self.columns if column.partition_position is not None]
        return tuple(sorted(folders, key=lambda column: column.partition_position or 0))

    @property
    def stored(self) -> tuple[Column, ...]:
        """The columns inside the files."""
        return tuple(column for column in self.columns if column.partition_position is None)

    @property
    def encrypted(self) -> tuple[Column, ...]:
        """The columns that are replaced by a token."""
        return tuple(column for column in self.columns if column.encrypted_name)

    @property
    def ddl(self) -> str:
        """The stored columns as Spark's schema string."""
        return ", ".join(f"`{column.stored_name}` {column.stored_type}" for column in self.stored)

    def tolerates(self, quarantined: int, received: int) -> bool:
        """Return True if a run that received and quarantined so many records may publish.

        The contract's ``tolerance`` is a ratio, its ``toleratedRecords`` a number; a run may publish that stays within
        either.
        """
        return quarantined <= max(self.tolerated_records, self.tolerance * received)

    def column(self, name: str) -> Column:
        """Return the column of that name; raises ContractError when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise ContractError(f"{self.name} has no column '{name}'")

    def quarantine(self) -> "Contract":
        """Return the contract of the quarantine table, which keeps the dataset's rejected records.

        Raises ContractError for a dataset that rejects none.
        """
        if not self.has_quarantine:
            made = f"it is derived from {', '.join(self.inputs)}" if self.inputs else "it keeps what arrives"
            raise ContractError(f"{self.name} has no quarantine: {made}")
        folder = f"quarantine/{self.path.rsplit('/', 1)[-1]}"
        template = load(QUARANTINE_TEMPLATE)
        return replace(template, name=f"quarantine_{self.name}", path=folder, source=self.source)


def folder() -> Path:
    """Return the folder of the contracts: inside the installed package, or beside it in a checkout."""
    inside = Path(__file__).parents[1] / "contracts"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "contracts"


@cache
def load(name: str) -> Contract:
    """Return the contract of the dataset ``name``; raises ContractError with file, place and the likely word."""
    found = [path for path in files() if path.stem == name]
    if len(found) != 1:
        raise ContractError(f"{len(found)} contracts are named '{name}'; there are {[path.stem for path in files()]}")
    return read(found[0])


def files() -> list[Path]:
    """Return all contract files, sorted: YAML in a checkout, JSON in a wheel."""
    return sorted(path for path in folder().glob("*/*") if path.suffix in (".yaml", ".json"))


def read(path: Path) -> Contract:
    """Return the contract in one YAML or JSON file; raises ContractError with file, place and the likely word."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        return parse(json.loads(text), path.name)
    # Glue has no PyYAML, and a job fetches no package when it starts: its wheel has contracts as JSON.
    import yaml

    return parse(yaml.safe_load(text), path.name)


def parse(document: Any, file: str) -> Contract:
    """Return the contract in a parsed YAML document; raises ContractError, in which ``file`` names the document."""
    if not isinstance(document, dict):
        raise ContractError(f"{file}: a contract is a mapping")
    schema.check(document, file)
    try:
        contract = _contract(document)
    except (KeyError, IndexError) as missing:
        raise ContractError(f"{file}: {missing} is missing") from missing
    except _NotAList as wrong:
        raise ContractError(f"{file}: customProperties: {wrong} is a list of names, as in [a, b]") from wrong
    except (TypeError, ValueError) as wrong:
        raise ContractError(f"{file}: a number is expected: {wrong}") from wrong
    _check_meaning(contract, file)
    return contract


def _contract(document: Mapping[str, Any]) -> Contract:
    dataset = document["schema"][0]
    service = {entry["property"]: entry["value"] for entry in document.get("slaProperties", [])}
    custom = {entry["property"]: entry["value"] for entry in document.get("customProperties", [])}
    return Contract(
        name=dataset["name"],
        version=document["version"],
        domain=document["domain"],
        purpose=document["description"]["purpose"],
        usage=document["description"].get("usage", ""),
        limitations=document["description"].get("limitations", ""),
        owner=document["team"]["name"],
        path=dataset["physicalName"],
        format=dataset["physicalType"],
        columns=tuple(_column(column) for column in dataset["properties"]),
        rules=tuple(_rules(dataset, "spark")),
        suspicions=tuple(_rules(dataset, "spark-sql")),
        retention_days=int(service["retention"]),
        tolerance=float(service.get("tolerance", 0)),
        tolerated_records=int(service.get("toleratedRecords", 0)),
        freshness_seconds=_freshness_seconds(document),
        source=custom.get("source"),
        publish_granularity=custom.get("publishGranularity", {}),
        example=custom["example"],
        inputs=_listed(custom, "inputs"),
        neighbouring_days=int(custom.get("neighbouringDays", 0)),
        consumers=_listed(custom, "consumers"),
        status=document.get("status", "active"),
    )


class _NotAList(Exception):
    """A property whose value is no list of names."""


def _listed(custom: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """A text is no list, though Python takes it for one of characters."""
    found = custom.get(name, [])
    if not isinstance(found, list) or not all(isinstance(entry, str) for entry in found):
        raise _NotAList(name)
    return tuple(found)


def _freshness_seconds(document: Mapping[str, Any]) -> int | None:
    for entry in document.get("slaProperties", []):
        if entry["property"] == "freshness":
            return int(entry["value"] * schema.SECONDS[entry["unit"]])
    return None


def _column(entry: Mapping[str, Any]) -> Column:
    values = [rule["arguments"]["validValues"] for rule in entry.get("quality", []) if rule["type"] == "library"]
    return Column(
        name=entry["name"],
        physical_type=entry["physicalType"],
        description=entry["description"],
        required=bool(entry.get("required", False)),
        key_position=entry["primaryKeyPosition"] if entry.get("primaryKey") else None,
        partition_position=entry["partitionKeyPosition"] if entry.get("partitioned") else None,
        encrypted_name=entry.get("encryptedName"),
        options=entry.get("logicalTypeOptions", {}),
        valid_values=tuple(value for listed in values for value in listed),
        tags=tuple(entry.get("tags", ())),
    )


def _rules(dataset: Mapping[str, Any], engine: str) -> Iterator[Rule]:
    for rule in dataset.get("quality", []):
        if rule["engine"] == engine:
            yield Rule(rule["id"], rule["implementation"], rule["description"])


def _check_meaning(contract: Contract, file: str) -> None:
    """Check what a schema cannot. The partition file must follow from the key, or a corrected record shows twice."""
    _check_kind(contract, file)
    names = [column.stored_name for column in contract.columns]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ContractError(f"{file}: schema[0].properties: {', '.join(doubled)} stands there twice")
    key = {column.name for column in contract.key}
    for part, column in contract.publish_granularity.items():
        if column not in key:
            raise ContractError(
                f"{file}: publishGranularity.{part}: '{column}' is not in the key ({', '.join(sorted(key))})"
            )
    for encrypted in contract.encrypted:
        if encrypted.physical_type != "string":
            raise ContractError(f"{file}: {encrypted.name}: only a string can have an encryptedName")
        if encrypted.key_position is not None and not encrypted.required:
            raise ContractError(
                f"{file}: {encrypted.name}: a key column with an encryptedName must be required, "
                "or all rows without it would be one record"
            )


def _check_kind(contract: Contract, file: str) -> None:
    """Check that a dataset is of one kind, and has the columns that its kind writes."""
    if contract.source and contract.inputs:
        raise ContractError(
            f"{file}: source and inputs: a dataset is made row by row from its source, or derived from its inputs"
        )
    if contract.neighbouring_days < 0:
        raise ContractError(f"{file}: neighbouringDays: {contract.neighbouring_days} is less than 0")
    if contract.neighbouring_days and not contract.inputs:
        raise ContractError(
            f"{file}: neighbouringDays: only a derived dataset, which has inputs, has neighbouring days"
        )
    written = _OF_A_RECORD if contract.source else _OF_A_RUN if contract.inputs else ()
    names = [column.name for column in contract.columns]
    if lacking := [name for name in written if name not in names]:
        raise ContractError(f"{file}: schema[0].properties: {', '.join(lacking)} is missing; every run writes it")
    if contract.inputs and contract.encrypted:
        raise ContractError(
            f"{file}: {contract.encrypted[0].name}: a derived dataset encrypts nothing, its inputs have tokens already"
        )
    if contract.made_from and "date" not in contract.publish_granularity:
        raise ContractError(f"{file}: publishGranularity.date is missing: the column whose day a row belongs to")


def check_inputs(contract: Contract, of: Callable[[str], Contract] = load) -> None:
    """Raise ContractError unless a derived dataset can be made from its inputs; ``of`` gives their contracts by name.

    They are datasets that are made themselves, because those have days. What is stored of their data subjects does not
    go on: an erasure reaches the old versions of a row by row dataset, and not those of a derived one.
    """
    for made_from in map(of, contract.inputs):
        if not made_from.made_from:
            raise ContractError(f"{contract.name}: {made_from.name} is no input: nothing is derived from what arrives")
        tokens = {column.stored_name for column in made_from.encrypted}
        if kept := sorted(tokens & {column.name for column in contract.columns}):
            raise ContractError(
                f"{contract.name}: {kept[0]} is a token of {made_from.name}, and a derived dataset keeps none: an "
                "erasure would not reach its old versions; group without it"
            )
