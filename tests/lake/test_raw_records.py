"""The raw reader: every kind of broken line becomes a reason; good lines become typed values."""

import bz2
import gzip
import io
import json
import lzma
import pickle
import random
import tracemalloc
import zlib

import pyarrow as pa
import pytest
from pyarrow import orc, parquet

from lake.contract import model
from lake.contract.model import Column
from lake.records import json_lines

COLUMNS = (
    Column("id", "string", "An identifier."),
    Column("value", "double", "A measure."),
    Column("count", "int", "A whole number."),
)
GOOD = b'{"id": "a", "value": 1.5, "count": 2}'


def read(body: bytes, key: str = "raw/x.json") -> list[json_lines.RawRecord]:
    return list(json_lines.read(body, key, COLUMNS))


def test_a_good_line_becomes_values_in_the_order_of_the_contract() -> None:
    assert read(GOOD) == [json_lines.RawRecord(1, GOOD, ("a", 1.5, 2), [])]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"id": "a"', "malformed:line"),
        (b'{"id": "a"}{"id": "b"}', "malformed:line"),
        (b'[{"id": "a"}]', "not_an_object:line"),
        (b"null", "not_an_object:line"),
        (b"7", "not_an_object:line"),
        (b'{"id": "a", "id": "b"}', "duplicate_key:line"),
        (b'{"value": NaN}', "not_finite:line"),
        (b'{"value": -Infinity}', "not_finite:line"),
        (b'{"value": 1e400}', "not_finite:value"),
        (b'{"value": "1.5"}', "type:value"),
        (b'{"value": true}', "type:value"),
        (b'{"value": 1' + b"0" * 400 + b"}", "not_finite:value"),
        (b'{"count": 1.5}', "type:count"),
        (b'{"count": 2147483648}', "type:count"),
        (b'{"id": 7}', "type:id"),
        (b'{"id": "\\ud800"}', "encoding:id"),
        (b'{"id": "caf\xe9"}', "encoding:line"),
        (b'{"id": "a", "other": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "depth:line"),
        (b'{"id": "' + b"a" * json_lines.MAXIMUM_LINE_BYTES + b'"}', "too_large:line"),
    ],
)
def test_a_broken_line_has_a_reason_and_does_not_touch_its_neighbours(line: bytes, reason: str) -> None:
    before, broken, after = read(b"\n".join([GOOD, line, GOOD]))
    assert (broken.line, broken.values, broken.reasons) == (2, None, [reason])
    assert (before.values, after.values) == (("a", 1.5, 2), ("a", 1.5, 2))


@pytest.mark.parametrize(
    ("nested", "reasons"),
    [
        (b"[" * 63 + b"]" * 63, []),
        (b"[" * 64 + b"]" * 64, ["depth:line"]),
        (b'"' + b"[" * 500 + b'"', []),
        (b'"' + b'\\"' + b"{" * 500 + b'"', []),
        (b"[" + b"[]," * 500 + b"[]]", []),
        (b'"' + b'\\"' * 400_000 + b"[" * 65, ["malformed:line"]),
    ],
    ids=["64 deep", "65 deep", "in a text", "after a quotation mark in a text", "side by side", "a text without end"],
)
def test_the_limit_of_depth_is_the_same_whatever_has_called(nested: bytes, reasons: list[str]) -> None:
    assert read(b'{"id": "a", "other": ' + nested + b"}")[0].reasons == reasons


def test_all_wrong_types_of_a_line_are_named() -> None:
    assert read(b'{"id": 1, "value": "x", "count": 2}')[0].reasons == ["type:id", "type:value"]


@pytest.mark.parametrize("line", [b"{}", b'{"id": null, "value": null, "count": null, "new": 1}'])
def test_missing_and_null_are_null_and_unknown_fields_are_passed_over(line: bytes) -> None:
    assert read(line)[0].values == (None, None, None)


def test_a_whole_number_is_a_double_too() -> None:
    assert read(b'{"value": 12}')[0].values == (None, 12.0, None)


def test_blank_lines_and_carriage_returns_are_no_records() -> None:
    assert [record.line for record in read(b"\r\n" + GOOD + b"\r\n\n  \n" + GOOD)] == [2, 5]


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    assert read(b"\xef\xbb\xbf" + GOOD)[0].values == ("a", 1.5, 2)


def test_text_is_composed_so_that_one_identifier_has_one_token() -> None:
    assert read('{"id": "cafe\u0301"}'.encode())[0].values == ("caf\u00e9", None, None)


def test_an_object_of_nothing_but_newlines_takes_little_more_memory_than_its_size() -> None:
    body = b"\n" * (8 * 1024 * 1024)
    tracemalloc.start()
    try:
        assert read(body + GOOD)[0].line == len(body) + 1
        assert tracemalloc.get_traced_memory()[1] < 3 * len(body)
    finally:
        tracemalloc.stop()


def test_an_object_that_a_worker_cannot_hold_is_refused_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lines, "MAXIMUM_OBJECT_BYTES", len(GOOD))
    assert read(GOOD)[0].reasons == []
    assert [(record.line, record.reasons) for record in read(GOOD + b"\n")] == [(0, ["too_large:object"])]


def test_more_records_than_a_job_should_have_to_refuse_one_by_one_are_refused_as_a_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(json_lines, "MAXIMUM_OBJECT_RECORDS", 3)
    for three in (b"7\n" * 3, b"\n7\n\n \n7\n7\n\n\r\n", b"7\n7\n7"):
        assert [record.reasons for record in read(three)] == [["not_an_object:line"]] * 3
    for four in (b"7\n" * 4, b"7\n7\n7\n7", (GOOD + b"\n") * 4):
        assert [(record.line, record.reasons) for record in read(four)] == [(0, ["too_large:object"])]


@pytest.mark.parametrize("mebibytes", [8, 32])
def test_unpacking_holds_the_text_once(mebibytes: int) -> None:
    text = b"".join(CHANCE.randbytes(1024 * 1024).hex().encode() for _ in range(mebibytes // 2))
    body = gzip.compress(text, compresslevel=1)
    tracemalloc.start()
    try:
        assert len(json_lines.unpacked(body, "raw/x.gz")) == len(text)
        assert tracemalloc.get_traced_memory()[1] < 1.3 * len(text)
    finally:
        tracemalloc.stop()


def test_gzip_of_several_members_is_read_whole() -> None:
    body = gzip.compress(GOOD + b"\n") + gzip.compress(GOOD + b"\n")
    assert [record.line for record in read(body, "raw/x.gz")] == [1, 2]


@pytest.mark.parametrize(
    ("body", "key", "reason"),
    [
        (gzip.compress(GOOD * 1000, mtime=0)[:-20], "raw/cut.gz", "gzip:object"),
        (gzip.compress(GOOD, mtime=0)[:-8] + b"\0" * 8, "raw/checksum.gz", "gzip:object"),
        (GOOD, "raw/plain.gz", "encoding:object"),
        (gzip.compress(GOOD, mtime=0), "raw/packed.json", "encoding:object"),
        ('{"id": "a"}'.encode("utf-16"), "raw/wide.json", "encoding:object"),
        ('{"id": "a"}'.encode("utf-16-le"), "raw/wide.json", "encoding:object"),
        ('{"id": "a"}'.encode("utf-16-be"), "raw/wide.json", "encoding:object"),
        ('{"id": "a"}'.encode("utf-32-be"), "raw/wide.json", "encoding:object"),
        (gzip.compress(b" " * (64 * 1024 * 1024), mtime=0), "raw/bomb.gz", "too_large:object"),
    ],
)
def test_a_broken_object_is_one_record_at_line_0(body: bytes, key: str, reason: str) -> None:
    assert read(body, key) == [json_lines.RawRecord(0, b"", None, [reason])]


CHANCE = random.Random(22)
LINES = b"".join(
    b'{"id": "sensor-%012x", "value": %.2f, "count": %d}\n' % (CHANCE.getrandbits(48), n / 7, n) for n in range(3000)
)
ROWS = pa.Table.from_pylist([json.loads(line) for line in LINES.splitlines()])


def parquet_of(compression: str) -> bytes:
    """The rows as a Parquet file."""
    file = io.BytesIO()
    parquet.write_table(ROWS, file, compression=compression)
    return file.getvalue()


def orc_of() -> bytes:
    """The rows as an ORC file, whose first half is text without line ends."""
    file = io.BytesIO()
    orc.write_table(ROWS, file)
    return file.getvalue()


NO_TEXT = {
    "magic of Parquet": b"PAR1" + CHANCE.randbytes(300_000) + b"PAR1",
    "random": CHANCE.randbytes(300_000),
    "one line of 300 kB": CHANCE.randbytes(300_000).replace(b"\n", b"\0").replace(b"\r", b"\0"),
    "zeros": bytes(300_000),
    **{
        f"magic {magic!r}": magic + CHANCE.randbytes(100_000) for magic in (b"PK\3\4", b"\xfd7zXZ\0", b"BZh9", b"Obj\1")
    },
    "xz": lzma.compress(LINES),
    "bzip2": bz2.compress(LINES),
    "zlib": zlib.compress(LINES),
    "pickle": pickle.dumps(ROWS.to_pylist()),
    "EBCDIC": LINES.decode().encode("cp037"),
    **{name: pa.compress(LINES, codec=name, asbytes=True) for name in ("snappy", "lz4", "lz4_raw", "zstd", "brotli")},
    **{f"Parquet, {name}": parquet_of(name) for name in ("none", "snappy", "zstd")},
    "ORC": orc_of(),
}


@pytest.mark.parametrize("name", NO_TEXT)
def test_a_file_that_is_no_text_is_one_record_at_line_0_also_when_it_is_packed(name: str) -> None:
    unread = [json_lines.RawRecord(0, b"", None, ["encoding:object"])]
    assert read(NO_TEXT[name]) == unread
    assert read(gzip.compress(NO_TEXT[name]), "raw/x.gz") == unread


@pytest.mark.parametrize(
    "odd",
    [
        bytes(100_000), CHANCE.randbytes(50_000), GOOD.replace(b"a", b"\0"), "Bras\u00edlia".encode("latin-1"),
        "\u041c\u043e\u0441\u043a\u0432\u0430".encode("cp1251"), b"\x1b[31m" * 100,
    ],
    ids=["a hole of zeros", "random bytes", "one zero", "Latin-1", "Cyrillic", "colours of a terminal"],
)  # fmt: skip
def test_a_text_that_is_damaged_in_one_place_loses_that_place_only(odd: bytes) -> None:
    for body in (odd + b"\n" + GOOD, GOOD + b"\n" + odd, GOOD + b"\n" + odd + b"\n" + GOOD):
        records = read(body)
        assert [record.payload for record in records if record.values] == [GOOD] * body.count(GOOD)
        assert 0 not in [record.line for record in records]


@pytest.mark.parametrize("line", [GOOD.replace(b"a", b"\0"), GOOD.replace(b"a", b"\xed"), b"\0", b"no json"])
def test_a_single_line_that_is_damaged_is_a_line(line: bytes) -> None:
    assert [record.line for record in read(line)] == [1]


@pytest.mark.parametrize("text", ["{}\n", "日本語" * 9000, "é\n" * 9000, "\t\r\n" * 9000, "not json\n" * 9000])
def test_letters_of_any_script_and_spaces_are_text(text: str) -> None:
    assert 0 not in [record.line for record in read(text.encode())]


def test_an_empty_object_has_no_records() -> None:
    assert read(b"") == []


def test_the_reader_can_read_every_type_of_the_raw_contracts() -> None:
    for name in ("raw_weather", "raw_iot_sensors"):
        for column in model.load(name).stored:
            assert column.physical_type in json_lines._READERS


@pytest.mark.parametrize("bits", [8, 16, 32, 64])
def test_a_whole_number_must_fit_into_its_type(bits: int) -> None:
    read_integer = json_lines._integer_of(bits)
    for value in (-(2 ** (bits - 1)), 0, 2 ** (bits - 1) - 1):
        assert read_integer(value) == value
    for broken in (-(2 ** (bits - 1)) - 1, 2 ** (bits - 1), True, 1.0, "1"):
        with pytest.raises(json_lines.Broken, match=r"^type$"):
            read_integer(broken)


def test_a_line_may_be_as_long_as_the_limit_and_what_is_longer_is_not_kept() -> None:
    longest = b'{"id": "' + b"a" * (json_lines.MAXIMUM_LINE_BYTES - 10) + b'"}'
    assert [record.reasons for record in read(longest)] == [[]]
    assert [record[:4] for record in read(longest + b" x")] == [(1, b"", None, ["too_large:line"])]


def test_a_broken_line_is_kept_as_it_came_without_its_carriage_return() -> None:
    assert [record.payload for record in read(b"\rbroken\r\n" + GOOD)] == [b"\rbroken", GOOD]


def test_a_type_that_the_reader_does_not_know_is_named() -> None:
    columns = (Column("id", "interval", "Nothing that JSON has."),)
    assert [record.reasons for record in json_lines.read(b'{"id": 1}', "x.json", columns)] == [["unsupported_type:id"]]


def test_only_true_and_false_are_booleans() -> None:
    columns = (Column("is", "boolean", "Yes or no."),)
    found = list(json_lines.read(b'{"is": true}\n{"is": false}\n{"is": 1}', "x.json", columns))
    assert [(record.values, record.reasons) for record in found] == [
        ((True,), []),
        ((False,), []),
        (None, ["type:is"]),
    ]


def test_a_value_of_another_type_is_drift_of_its_field() -> None:
    columns = (Column("type:x", "int", "A name that looks like a reason."), Column("is", "boolean", "Yes or no."))
    (record,) = json_lines.read(b'{"type:x": "1", "is": 2}', "x.json", columns)
    assert record.reasons == ["type:type:x", "type:is"]
    assert record.drift == ("retyped:type:x", "retyped:is")
