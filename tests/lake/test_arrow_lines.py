"""The vectorised reader finds what the strict reader finds: records, values, reasons, drift, for any bytes."""

import gzip
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from lake.contract.model import Column
from lake.records import arrow_lines, json_lines
from tests.faults.test_reader import ERRORS, SUITE, TABLES
from tests.lake.test_raw_records import NO_TEXT
from tests.place import MESSAGES

KINDS = ("string", "double", "float", "int", "bigint", "tinyint", "boolean")
COLUMNS = tuple(Column(f"a_{kind}", kind, "A field.") for kind in KINDS)
GOOD: dict[str, Any] = {
    "a_string": "text", "a_double": 1.5, "a_float": 2, "a_int": 3, "a_bigint": 4, "a_tinyint": 5, "a_boolean": True,
}  # fmt: skip
# Values as a sender may write them, of which some mean the same and some are none.
VALUES = (
    "1", "1.0", "-1", "0", "-0", "-0.0", " -0 ", "0.1", "1e5", "1E+5", "1e400", "-1e400", "1e-400", "NaN", "Infinity",
    "-Infinity", "null", "true", "false", "True", "nul", '""', '"1"', '"text"', '"a\\u0301"', '"a\u0301"', '"\u00e1"',
    '"\\ud800"', '"a\\"b"', '"{"', '"}"', '"}\\n{"', '"\\\\"', '"a_int"', '"a_int:"', "[]", "[1]", "{}", '{"a": 1}',
    "127", "128", "-129", "2147483647", "2147483648", "9223372036854775808", "9007199254740993", "1" * 400, "01", "+1",
    ".5", "1.", "0x10", "1_0", "'a'", "", '"\t"', '"\x01"', '"\x7f"', '"\u2028"', '"\u212b"', '":"', '" :"',
    '":x"', '" -0 "', '"a-0"', "1.7976931348623159e308",
    "0.1000000000000000055511151231257827", "123456789012345678901234567890",
)  # fmt: skip
# Whole lines that no field makes.
LINES = (
    b"", b" ", b"\x0b", b"{}", b"[]", b"null", b"7", b'"a"', b"{", b"}", b"{}{}", b"\xff", b"\xef\xbb\xbf{}", b"#",
    b"\0", b'{"a_int": 1', b'"a_double": 2}', b"// a", b'{"a_string": "\xc3"}', b'{"a_string": "\xed\xa0\x80"}',
)  # fmt: skip


def line(**changes: str | None) -> bytes:
    """A line with these fields written as they are given; None leaves a field out."""
    texts = {name: json.dumps(value) for name, value in GOOD.items()} | changes
    return b"{%s}" % ", ".join(f'"{name}": {text}' for name, text in texts.items() if text is not None).encode()


def flat(parsed: Iterator[arrow_lines.Parsed], columns: tuple[Column, ...]) -> list[Any]:
    """The records of all blocks, one by one, in the form of ``strict``."""
    found: list[Any] = []
    for block in parsed:
        rows = list(zip(*(values.to_pylist() for values in block.values), strict=True)) or [()] * len(block.lines)
        for place, number in enumerate(block.lines):
            reasons = list(block.reasons[place]) if block.reasons else []
            drift = tuple(block.drift[place]) if block.drift else ()
            found.append(
                repr((number, block.payloads[place].as_py(), None if reasons else rows[place], reasons, drift))
            )
    return found


def strict(body: bytes, key: str, columns: tuple[Column, ...]) -> list[Any]:
    records = json_lines.read(body, key, columns)
    return [repr((each.line, bytes(each.payload), each.values, each.reasons, each.drift)) for each in records]


def check(body: bytes, columns: tuple[Column, ...] = COLUMNS, key: str = "raw/x.json") -> None:
    assert flat(arrow_lines.read(body, key, columns), columns) == strict(body, key, columns)


def made(chance: random.Random) -> bytes:
    """A line that is good, or has one or two odd values, or lacks or adds a field, or is no record at all."""
    kind = chance.random()
    if kind < 0.5:
        return line(a_double=repr(chance.uniform(-1e6, 1e6)), a_string=json.dumps(chance.choice("abc\u00e9\u0301")))
    if kind < 0.8:
        return line(**{chance.choice(list(GOOD)): chance.choice(VALUES) for _ in range(2)})
    if kind < 0.85:
        return line(**{chance.choice(list(GOOD)): None})
    if kind < 0.9:
        return line(**{chance.choice(("other", "A_INT", "a_int ")): "1"})
    if kind < 0.95:
        return line().replace(b'"a_int"', b'"a_%s"' % chance.choice((b"int", b"string", b"nt"))) + chance.choice(
            (b"", b" ", b"\r", b"{}", b"," + line())
        )
    return chance.choice(LINES)


def check_made(seed: int, number: int) -> None:
    chance = random.Random(seed)
    lines = [made(chance) if chance.random() < 0.2 else line() for _ in range(number)]
    check(b"\n".join(lines) + chance.choice((b"", b"\n", b"\n\n")))


def test_ten_thousand_lines_of_all_kinds_come_out_as_the_strict_reader_says() -> None:
    for seed in range(20):
        check_made(seed, 500)


@pytest.mark.long
def test_a_million_lines_come_out_as_the_strict_reader_says() -> None:
    for seed in range(100, 200):
        check_made(seed, 10_000)


@pytest.mark.parametrize("block", [1, 100, 1000])
def test_where_a_block_ends_changes_nothing(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(arrow_lines, "BLOCK_BYTES", block)
    check_made(7, 300)


@pytest.mark.parametrize("name", NO_TEXT)
def test_a_file_that_is_no_text_comes_out_as_the_strict_reader_says(name: str) -> None:
    check(NO_TEXT[name])
    check(line() + b"\n" + NO_TEXT[name])


def test_every_value_in_every_field_among_good_lines() -> None:
    for name in GOOD:
        for value in VALUES:
            check(b"\n".join([line()] * 3 + [line(**{name: value})] + [line()] * 30))


def test_every_file_that_was_made_to_break_parsers_alone_and_as_a_value_among_good_lines() -> None:
    errors = {str(number): json.dumps(entry).encode() for number, entry in enumerate(ERRORS)}
    for name, body in {**SUITE, **TABLES, **errors}.items():
        for key in (name, f"{name}.gz"):
            check(body, MESSAGES.stored, key)
        flat_body = body.replace(b"\n", b" ")
        check(b"\n".join([line()] * 20 + [line()[:-1] + b', "a_string": ' + flat_body + b"}"] + [line()] * 20))
        check(b"\n".join([line()] * 20 + [line().replace(b'"text"', flat_body)] + [line()] * 20))


def test_a_packed_object_and_one_that_cannot_be_unpacked() -> None:
    packed = gzip.compress(b"\n".join([line()] * 100))
    check(packed, key="raw/x.json.gz")
    check(packed[:-9], key="raw/x.json.gz")
    check(packed, key="raw/x.json")


def test_two_records_on_one_line_are_not_made_up_for_by_one_on_two_lines() -> None:
    check(line() + line() + b"\n" + line()[:20] + b"\n" + line()[20:] + b"\n" + line())


def test_a_field_that_is_there_twice_is_not_made_up_for_by_one_that_is_missing() -> None:
    check(line().replace(b'"a_int": 3', b'"a_int": 3, "a_int": 3') + b"\n" + line(a_int=None) + b"\n")


@pytest.mark.parametrize("text", ['":x"', '":"', '  ":x"'])
def test_a_text_that_begins_like_the_end_of_a_name_does_not_make_up_for_a_missing_field(text: str) -> None:
    check(line(a_string=text) + b"\n" + line(a_int=None) + b"\n")
    check(line(a_string=text).replace(b": ", b":") + b"\n" + line(a_int=None) + b"\n")


@pytest.mark.parametrize("odd", [0, 1])
def test_only_the_lines_around_an_odd_one_are_read_one_by_one(monkeypatch: pytest.MonkeyPatch, odd: int) -> None:
    one_by_one = []
    of_lines = json_lines.of_lines

    def counted(lines: list[bytes], first: int, columns: tuple[Column, ...]) -> Iterator[json_lines.RawRecord]:
        one_by_one.append(len(lines))
        return of_lines(lines, first, columns)

    monkeypatch.setattr(json_lines, "of_lines", counted)
    body = b"\n".join([line(a_string='"S\u00e3o Paulo"')] * 5000 + [line(a_int='"3"')] * odd)
    assert sum(len(block.lines) for block in arrow_lines.read(body, "raw/x.json", COLUMNS)) == 5000 + odd
    assert sum(one_by_one) <= arrow_lines.FEW_LINES * odd
    assert len(one_by_one) == odd
