"""The names of units: partition folder and object key."""

from lake.tables.parquet_units import units


def test_a_unit_names_its_partition_and_its_object() -> None:
    assert units.partition("2026-11-20_h13") == "date=2026-11-20"
    assert units.object_key("curated/x/", "2026-11-20_h13") == "curated/x/date=2026-11-20/h13.parquet"
    assert units.object_key("curated/x/", "2026-11-20_day") == "curated/x/date=2026-11-20/day.parquet"


def test_the_key_of_an_object_says_its_unit() -> None:
    for unit in ("2026-11-20_h13", "2026-11-20_day"):
        assert units.of_key("curated/x/", units.object_key("curated/x/", unit)) == unit
