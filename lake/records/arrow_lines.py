"""Parse raw objects in blocks of lines with Arrow; the strict reader parses every line that could come out otherwise.

Arrow's reader is as strict as ours about JSON itself, numbers and types. It differs in what is one line, in NaN, in the
integer ``-0``, in text that is not UTF-8 or not composed, and in fields that are missing. A block that has any of these
is halved until the lines that have them are found.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
from pyarrow import compute, json

from lake.contract.model import Column
from lake.records import json_lines
from lake.records.json_lines import Broken, RawRecord

BLOCK_BYTES = 4 * 1024 * 1024
# So few lines are not worth another attempt.
FEW_LINES = 16
_TYPES = {
    "string": pa.string(), "double": pa.float64(), "float": pa.float64(), "boolean": pa.bool_(), "tinyint": pa.int8(),
    "smallint": pa.int16(), "int": pa.int32(), "bigint": pa.int64(),
}  # fmt: skip
# Of ASCII: control characters but for the line end, and the backslash, by which text can hold anything.
_UNUSUAL = bytes([*range(10), *range(11, 32), ord("\\")])
_MINUS_ZERO = re.compile(rb":\s*-0[\s,}]")


class Parsed(NamedTuple):
    """Records of one object in their order.

    ``values`` has a column for each of the contract, with nulls where ``reasons`` is not empty. ``reasons`` and
    ``drift`` are None when no record has any.
    """

    lines: Sequence[int]
    payloads: Sequence[bytes]
    values: list[Any]
    reasons: Sequence[list[str]] | None
    drift: Sequence[tuple[str, ...]] | None


def read(body: bytes, key: str, columns: tuple[Column, ...]) -> Iterator[Parsed]:
    """Yield the records of ``json_lines.read`` for the same arguments, a block of lines at a time."""
    try:
        text = json_lines.text_of(body, key)
    except Broken as broken:
        yield of_records([json_lines.of_object(str(broken))], columns)
        return
    start, number = 0, 1
    while start < len(text):
        end = text.rfind(b"\n", start, start + BLOCK_BYTES) + 1 or _end_of_line(text, start)
        block = text[start:end].removesuffix(b"\n")
        if block.strip():
            yield from _parsed(block.split(b"\n"), number, columns)
        start, number = end, number + block.count(b"\n") + 1


def of_records(records: Sequence[RawRecord], columns: tuple[Column, ...]) -> Parsed:
    """Return what the strict reader has found in the same form."""
    nothing = (None,) * len(columns)
    rows = [record.values or nothing for record in records]
    values = [pa.array([row[place] for row in rows], _type(column)) for place, column in enumerate(columns)]
    reasons, drift = [record.reasons for record in records], [record.drift for record in records]
    return Parsed([record.line for record in records], [record.payload for record in records], values, reasons, drift)


def _end_of_line(text: bytes, start: int) -> int:
    return text.find(b"\n", start) + 1 or len(text)


def _type(column: Column) -> Any:
    # The strict reader has no values of a type that it does not know.
    return _TYPES.get(column.physical_type, pa.string())


def _parsed(lines: list[bytes], first: int, columns: tuple[Column, ...]) -> Iterator[Parsed]:
    values = _values(lines, columns)
    if values is not None:
        yield Parsed(range(first, first + len(lines)), lines, values, None, None)
    elif len(lines) <= FEW_LINES:
        records = list(json_lines.of_lines(lines, first, columns))
        if records:
            yield of_records(records, columns)
    else:
        half = len(lines) // 2
        yield from _parsed(lines[:half], first, columns)
        yield from _parsed(lines[half:], first + half, columns)


def _values(lines: list[bytes], columns: tuple[Column, ...]) -> list[Any] | None:
    """Return the values by column, or None when the strict reader could find others."""
    block = b"\n".join(lines)
    if not _is_usual(block, lines, columns):
        return None
    schema = pa.schema([(column.name, _type(column)) for column in columns])
    options = json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error")
    whole = json.ReadOptions(use_threads=False, block_size=len(block) + 1)
    try:
        table = json.read_json(pa.BufferReader(block), whole, options).combine_chunks()
    except pa.ArrowInvalid:
        return None
    if table.num_rows != len(lines):
        return None
    values = [_array(table.column(column.name)) for column in columns]
    if any(pa.types.is_floating(each.type) and not _is_finite(each) for each in values):
        return None
    return values if block.isascii() else [_composed(each) for each in values]


def _is_usual(block: bytes, lines: list[bytes], columns: tuple[Column, ...]) -> bool:
    """Each line is one flat object with a field for each column, and nothing in it is read in two ways.

    That a field is there twice, and another is missing, is an error of Arrow.
    """
    number = len(lines)
    return (
        block.startswith(b"{")
        and block.endswith(b"}")
        and block.count(b"{") == block.count(b"}") == number
        and block.count(b"}\n{") == number - 1
        and len(block) == len(block.translate(None, _UNUSUAL))
        and all(column.physical_type in _TYPES for column in columns)
        and all(block.count(b'"%s":' % column.name.encode()) == number for column in columns)
        and max(map(len, lines)) <= json_lines.MAXIMUM_LINE_BYTES
        and _MINUS_ZERO.search(block) is None
        and _is_text(block)
    )


def _is_text(block: bytes) -> bool:
    try:
        return block.isascii() or bool(block.decode("utf-8"))
    except UnicodeDecodeError:
        return False


def _array(column: Any) -> Any:
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)


def _is_finite(values: Any) -> bool:
    return bool(compute.all(compute.is_finite(values), min_count=0).as_py())


def _composed(values: Any) -> Any:
    """Text in composed form, each different one composed once."""
    if not pa.types.is_string(values.type):
        return values
    found = values.dictionary_encode()
    words = [unicodedata.normalize("NFC", word) for word in found.dictionary.to_pylist()]
    return pa.array(words, pa.string()).take(found.indices)
