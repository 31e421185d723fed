"""Strict JSON lines reader: parse a raw object into records with the contract's types, or with reasons of rejection.

Spark's own JSON reader silently drops a second object on a line, accepts NaN, keeps the last of two equal keys and
returns half a record when a number is text.
"""

import gzip
import io
import math
import re
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from lake.contract.model import Column
from lake.core import strict_json

MAXIMUM_LINE_BYTES = 1024 * 1024
# Unpacked. A worker reads several objects at once, and all of one is in memory, twice while it is unpacked.
MAXIMUM_OBJECT_BYTES = 64 * 1024 * 1024
MAXIMUM_RATIO = 200
# Records may be as short as "7", and each that is broken is a row of the quarantine.
MAXIMUM_OBJECT_RECORDS = 2_000_000
# A record may have any fields, with any names; what is said of them has to stay small.
MAXIMUM_FIELD_NAME = 64
MAXIMUM_FIELDS_NAMED = 20
# A sender may choose a name as he chooses a value: an identifier, markup, a letter that a terminal obeys. Only a name
# such as fields have leaves raw; one with more digits is more likely a number of somebody or something.
WITHHELD = "(withheld)"
_FIELD_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_MOST_DIGITS = 3
_LEAST_REPEATED = 3
_CHUNK = 1024 * 1024
_GZIP = b"\x1f\x8b"
_UTF8_MARK = b"\xef\xbb\xbf"
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")
# Bytes that text has nowhere. In files that are packed or hold numbers as a machine does, every tenth byte is one.
_NEVER = bytes([*range(9), 11, 12, *range(14, 32)])
_SAMPLES, _SAMPLE_BYTES = 16, 4096
# So many strange bytes, and one in so many: a damaged line of a text has fewer.
_LEAST_STRANGE, _STRANGE_SHARE = 64, 16


class RawRecord(NamedTuple):
    """One line of a raw object. ``values`` follows the contract's columns; None when ``reasons`` is not empty.

    ``line`` counts from 1; 0 is the object as a whole, whose ``payload`` is empty: the raw object is there.
    ``drift`` is how its fields differ from the contract's columns: ``added:``, ``missing:`` or ``retyped:`` and a name,
    which is WITHHELD where the sender's name may be anything.
    """

    line: int
    payload: bytes
    values: tuple[Any, ...] | None
    reasons: list[str]
    drift: tuple[str, ...] = ()


class Broken(Exception):
    """A line or object that cannot be read; the argument is the reason id."""


def read(body: bytes, key: str, columns: tuple[Column, ...]) -> Iterator[RawRecord]:
    """Yield every record of one raw object, in order; skips blank lines. Never raises for bad content.

    ``body`` is the object as S3 has it, ``key`` says by its ending whether it is compressed. ``columns`` are those of
    the raw contract. A record that cannot be read comes without values and with the reasons.
    """
    try:
        lines = text_of(body, key)
    except Broken as broken:
        yield of_object(str(broken))
        return
    # One line at a time: a list of all lines of an object of newlines would be forty times as large as the object.
    yield from of_lines((line.removesuffix(b"\n") for line in io.BytesIO(lines)), 1, columns)


def of_lines(lines: Iterable[bytes], first: int, columns: tuple[Column, ...]) -> Iterator[RawRecord]:
    """Yield the records of lines without their line ends; ``first`` is the number of the first one in its object."""
    for number, line in enumerate(lines, first):
        if line.strip():
            yield _record(number, line.rstrip(b"\r"), columns)


def of_object(reason: str) -> RawRecord:
    """Return the record that stands for a whole object that cannot be read for ``reason``."""
    return RawRecord(0, b"", None, [reason])


def text_of(body: bytes, key: str) -> bytes:
    """Return the object's text; raises Broken for what ``unpacked`` refuses, too many records, and what is no text.

    A file that is none has line ends where they happen to be, so its lines would be thousands of broken records.
    """
    text = unpacked(body, key)
    if text.count(b"\n") >= MAXIMUM_OBJECT_RECORDS and _records(text) > MAXIMUM_OBJECT_RECORDS:
        raise Broken("too_large:object")
    if _is_strange(text) and not any(_is_record(line) for line in io.BytesIO(text)):
        raise Broken("encoding:object")
    return text


def _is_strange(text: bytes) -> bool:
    """Return True if many of the bytes are none of a text, here and there in it; a text may have a hole of zeros."""
    step = max(_SAMPLE_BYTES, len(text) // _SAMPLES)
    sample = b"".join(text[start : start + _SAMPLE_BYTES] for start in range(0, len(text), step))
    never = len(sample) - len(sample.translate(None, _NEVER))
    undecoded = 0 if sample.isascii() else len(sample) - len(sample.decode("utf-8", "ignore").encode())
    return never + undecoded >= max(_LEAST_STRANGE, len(sample) // _STRANGE_SHARE)


def _records(text: bytes) -> int:
    """Count the lines that are not blank, without a list of them."""
    return sum(1 for line in io.BytesIO(text) if line.strip())


def _is_record(line: bytes) -> bool:
    try:
        return len(line) <= MAXIMUM_LINE_BYTES and bool(parsed(line.strip()))
    except Broken:
        return False


def unpacked(body: bytes, key: str) -> bytes:
    """Return the object's text, decompressed; raises Broken for a bad gzip (name, end, size) or another encoding."""
    packed = body.startswith(_GZIP)
    if packed != key.endswith(".gz") and body:
        raise Broken("encoding:object")
    text = _gunzipped(body) if packed else body
    if len(text) > MAXIMUM_OBJECT_BYTES:
        raise Broken("too_large:object")
    if text.startswith(_WIDE_MARKS) or _is_wide(text):
        raise Broken("encoding:object")
    return text.removeprefix(_UTF8_MARK)


def _is_wide(text: bytes) -> bool:
    """UTF-16 or UTF-32 without a mark: the first two letters of JSON are ASCII, and then every other byte is 0."""
    return len(text) >= 4 and any(text[:4]) and b"\0\0" in (text[0:4:2], text[1:4:2])


def _gunzipped(body: bytes) -> bytes:
    limit = min(MAXIMUM_OBJECT_BYTES, max(_CHUNK, MAXIMUM_RATIO * len(body)))
    # Hands out what it holds, where bytes of a bytearray would be a second copy.
    unpacked = io.BytesIO()
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as stream:
            while chunk := stream.read(_CHUNK):
                if unpacked.tell() + len(chunk) > limit:
                    raise Broken("too_large:object")
                unpacked.write(chunk)
    except (EOFError, OSError, zlib.error) as error:
        raise Broken("gzip:object") from error
    return unpacked.getvalue()


def _record(number: int, line: bytes, columns: tuple[Column, ...]) -> RawRecord:
    if len(line) > MAXIMUM_LINE_BYTES:
        return RawRecord(number, b"", None, ["too_large:line"])
    try:
        record = parsed(line)
    except Broken as broken:
        return RawRecord(number, line, None, [str(broken)])
    values = [_value(record.get(column.name), column) for column in columns]
    reasons = [str(value) for value in values if isinstance(value, Broken)]
    drift = (*_other_fields(record, columns), *_retyped(reasons))
    return RawRecord(number, line, None if reasons else tuple(values), reasons, drift)


def _other_fields(record: Mapping[str, Any], columns: tuple[Column, ...]) -> list[str]:
    expected = {column.name for column in columns}
    if record.keys() == expected:
        return []
    values = [value.casefold() for value in record.values() if isinstance(value, str)]
    names = {_harmless(name, values) for name in record.keys() - expected}
    # In the order of ASCII the bracket would come first, and a name that says something last.
    said = sorted(names, key=lambda name: (name == WITHHELD, name))
    added = [f"added:{name}" for name in said]
    return [*added[:MAXIMUM_FIELDS_NAMED], *(f"missing:{name}" for name in sorted(expected - record.keys()))]


def _harmless(name: str, values: list[str]) -> str:
    """A field's name, cut, or WITHHELD where it may tell more than what the field is; ``values`` are of its record."""
    is_name = _FIELD_NAME.fullmatch(name) and sum(map(str.isdigit, name)) <= _MOST_DIGITS
    repeats = any(len(value) >= _LEAST_REPEATED and value in name.casefold() for value in values)
    return name[:MAXIMUM_FIELD_NAME] if is_name and not repeats else WITHHELD


def _retyped(reasons: list[str]) -> list[str]:
    return [reason.replace("type:", "retyped:", 1) for reason in reasons if reason.startswith("type:")]


def parsed(line: bytes) -> Mapping[str, Any]:
    """Return the JSON object of one line; raises Broken with the reason when the line is none."""
    try:
        record = strict_json.loads(line)
    except strict_json.NotStrict as error:
        raise Broken(f"{error}:line") from error
    if not isinstance(record, dict):
        raise Broken("not_an_object:line")
    return record


def _value(value: Any, column: Column) -> Any:
    """Return the value in the column's type, None for null or missing, or a Broken to collect."""
    if value is None:
        return None
    try:
        return _READERS[column.physical_type](value)
    except KeyError:
        return Broken(f"unsupported_type:{column.name}")
    except Broken as broken:
        return Broken(f"{broken}:{column.name}")


def _text(value: Any) -> str:
    """Return the text in composed form (NFC); otherwise one identifier could have two tokens."""
    if not isinstance(value, str):
        raise Broken("type")
    if value.isascii():
        return value
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise Broken("encoding") from error
    return unicodedata.normalize("NFC", value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Broken("type")
    try:
        number = float(value)
    except OverflowError as error:
        raise Broken("not_finite") from error
    if not math.isfinite(number):
        raise Broken("not_finite")
    return number


def _integer_of(bits: int) -> Callable[[Any], int]:
    def integer(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not -(2 ** (bits - 1)) <= value < 2 ** (bits - 1):
            raise Broken("type")
        return value

    return integer


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Broken("type")
    return value


_READERS: dict[str, Callable[[Any], Any]] = {
    "string": _text,
    "double": _number,
    "float": _number,
    "boolean": _boolean,
    "tinyint": _integer_of(8),
    "smallint": _integer_of(16),
    "int": _integer_of(32),
    "bigint": _integer_of(64),
}
