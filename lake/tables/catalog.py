"""The Glue Data Catalog of the data path: compare tables with contracts, add partitions."""

from collections.abc import Iterable
from typing import Any

from lake.contract.model import Contract
from lake.core.errors import SchemaMismatch

_PARTITIONS_PER_CALL = 100


class Catalog:
    """One database; ``client`` is a boto3 Glue client."""

    def __init__(self, client: Any, database: str) -> None:
        self._client = client
        self._database = database

    def check(self, contract: Contract) -> None:
        """Raise SchemaMismatch, with the columns that differ, unless table and contract agree."""
        table = self._table(contract.name)
        found = [(column["Name"], column["Type"]) for column in table["StorageDescriptor"]["Columns"]]
        wanted = [(column.stored_name, column.stored_type) for column in contract.stored]
        if found != wanted:
            differing = sorted({f"{name} {kind}" for name, kind in set(found) ^ set(wanted)})
            raise SchemaMismatch(
                f"schema mismatch: table {self._database}.{contract.name} and contract {contract.name} "
                f"{contract.version} differ in {', '.join(differing) or 'the order of columns'}; "
                "deploy the contract with terraform apply"
            )

    def add_partitions(self, dataset: str, folders: Iterable[str]) -> None:
        """Add partitions to the table ``dataset`` by folder, e.g. ``date=2026-11-20``; skips partitions that exist."""
        wanted = sorted(set(folders))
        if not wanted:
            return
        storage = self._table(dataset)["StorageDescriptor"]
        for start in range(0, len(wanted), _PARTITIONS_PER_CALL):
            chunk = [_partition(storage, folder) for folder in wanted[start : start + _PARTITIONS_PER_CALL]]
            answer = self._client.batch_create_partition(
                DatabaseName=self._database, TableName=dataset, PartitionInputList=chunk
            )
            _raise_unless_registered(dataset, answer.get("Errors", []))

    def _table(self, name: str) -> dict[str, Any]:
        table: dict[str, Any] = self._client.get_table(DatabaseName=self._database, Name=name)["Table"]
        return table


def folder_of(contract: Contract, prefix: str, key: str) -> str | None:
    """Return the partition folder of an object, e.g. ``date=2026-11-20``.

    ``prefix`` is the dataset's and ends with a slash. Returns None when the key lacks the contract's folders.
    """
    parts = key.removeprefix(prefix).split("/")[:-1]
    names = [part.partition("=")[0] for part in parts]
    expected = [column.name for column in contract.partitions]
    return "/".join(parts) if names == expected and all(part.partition("=")[2] for part in parts) else None


def _partition(storage: dict[str, Any], folder: str) -> dict[str, Any]:
    values = [part.partition("=")[2] for part in folder.split("/")]
    location = f"{storage['Location'].rstrip('/')}/{folder}/"
    return {"Values": values, "StorageDescriptor": {**storage, "Location": location}}


def _raise_unless_registered(dataset: str, errors: list[dict[str, Any]]) -> None:
    others = [error for error in errors if error["ErrorDetail"]["ErrorCode"] != "AlreadyExistsException"]
    if others:
        first = others[0]["ErrorDetail"]
        raise RuntimeError(f"{dataset}: {len(others)} partitions were not registered: {first}")
