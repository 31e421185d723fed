"""The names of partition files: partition folder and object key."""

from lake.tables.partition_files import file_names


def test_a_file_names_its_partition_and_its_object() -> None:
    assert file_names.partition("2026-11-20_h13") == "date=2026-11-20"
    assert file_names.object_key("curated/x/", "2026-11-20_h13") == "curated/x/date=2026-11-20/h13.parquet"
    assert file_names.object_key("curated/x/", "2026-11-20_day") == "curated/x/date=2026-11-20/day.parquet"


def test_the_key_of_an_object_says_its_file() -> None:
    for file in ("2026-11-20_h13", "2026-11-20_day"):
        assert file_names.of_key("curated/x/", file_names.object_key("curated/x/", file)) == file
