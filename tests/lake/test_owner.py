"""The merge of one partition file: the latest version of each key, and what became of every incoming row."""

import random
from collections import Counter, defaultdict
from typing import Any

import pyarrow as pa
import pytest

from lake.tables.partition_files import owner, writer
from lake.tables.partition_files.owner import Columns

COLUMNS = Columns(("city", "hour"), ("city", "hour", "value", "tags"))
SCHEMA = pa.schema(
    {
        "city": pa.string(), "hour": pa.timestamp("us", "UTC"), "value": pa.float64(), "tags": pa.list_(pa.string()),
        "arrived_at": pa.int64(), "source_object": pa.string(), "source_line": pa.int64(),
    }
)  # fmt: skip
Row = dict[str, Any]


def row(city: str, value: float | None, arrived: int, name: str = "a", line: int = 1, tags: Any = None) -> Row:
    lineage = {"arrived_at": arrived, "source_object": name, "source_line": line}
    return {"city": city, "hour": 0, "value": value, "tags": tags, **lineage}


def table(rows: list[Row]) -> Any:
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def merged(before: list[Row], incoming: list[Row]) -> owner.Merged:
    return owner.merged(table(before), table(incoming), COLUMNS)


def by_hand(before: list[Row], incoming: list[Row]) -> tuple[list[Row], Counter[str], Counter[str], int]:
    """Rows, new and replaced by object, and duplicates, one key after the other."""
    versions: dict[Any, list[tuple[Any, Row]]] = defaultdict(list)
    for was_there, rows in ((True, before), (False, incoming)):
        for each in rows:
            version = (each["arrived_at"], each["source_object"], each["source_line"], was_there)
            versions[each["city"], each["hour"]].append((version, each))
    winners, new, replaced = [], Counter[str](), Counter[str]()
    for key in sorted(versions):
        version, winner = max(versions[key], key=lambda entry: entry[0])
        there = [each for version, each in versions[key] if version[-1]]
        winners.append(winner)
        if not there:
            new[winner["source_object"]] += 1
        elif not version[-1] and any(winner[name] != there[0][name] for name in COLUMNS.content):
            replaced[winner["source_object"]] += 1
    return winners, new, replaced, len(incoming) - new.total() - replaced.total()


def test_any_rows_are_merged_as_one_would_by_hand() -> None:
    chance = random.Random(5)
    for _ in range(500):

        def some(number: int) -> list[Row]:
            return [
                row(
                    chance.choice("bca\u00e9"), chance.choice((None, 1.0, 2.0)), chance.randrange(3),
                    chance.choice("xy"), chance.randrange(2), chance.choice((None, [], ["t"])),
                )
                for _ in range(number)
            ]  # fmt: skip

        before = list({each["city"]: each for each in some(chance.randrange(4))}.values())
        incoming = some(chance.randrange(1, 8))
        # Two rows of one line of one object are the same row: which of them is last cannot be told.
        incoming = list(
            {(r["city"], r["arrived_at"], r["source_object"], r["source_line"]): r for r in incoming}.values()
        )
        found, wanted = merged(before, incoming), by_hand(before, incoming)
        assert found.table.equals(table(wanted[0]))
        assert (found.new, found.replaced, found.duplicate) == wanted[1:]
        assert found.incoming == Counter(each["source_object"] for each in incoming)
        assert found.changed == (not found.table.equals(table(sorted(before, key=lambda each: each["city"]))))


def test_a_key_may_be_the_place_that_a_row_came_from() -> None:
    columns = Columns(("source_object", "source_line"), ("value",))
    found = owner.merged(table([row("a", 1.0, 1)]), table([row("b", 2.0, 2), row("c", 3.0, 2, line=2)]), columns)
    assert (found.new, found.replaced, found.table.num_rows) == ({"a": 1}, {"a": 1}, 2)


def test_the_same_version_again_changes_nothing() -> None:
    there = [row("a", 1.0, 1)]
    found = merged(there, there)
    assert (found.changed, found.new, found.replaced, found.duplicate) == (False, {}, {}, 1)


def test_a_later_version_that_says_the_same_is_stored_and_is_a_duplicate() -> None:
    found = merged([row("a", None, 1, tags=["t"])], [row("a", None, 2, "b", tags=["t"])])
    assert (found.changed, found.replaced, found.duplicate) == (True, {}, 1)
    assert found.table.column("source_object").to_pylist() == ["b"]


@pytest.mark.parametrize(
    ("before", "after", "replaced"), [(None, 1.0, 1), (float("nan"), float("nan"), 0), (1.0, 2.0, 1)]
)
def test_null_and_not_a_number_equal_themselves_alone(before: float | None, after: float, replaced: int) -> None:
    assert sum(merged([row("a", before, 1)], [row("a", after, 2)]).replaced.values()) == replaced


def test_a_published_object_is_read_with_the_columns_of_today() -> None:
    old = table([row("a", 1.0, 1)]).drop_columns(["tags"]).append_column("gone", pa.array([1]))
    assert owner.existing(writer.encoded(old), SCHEMA).equals(table([row("a", 1.0, 1)]))
    assert owner.existing(None, SCHEMA).num_rows == 0
