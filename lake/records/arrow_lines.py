"""Parse raw objects in blocks of lines with Arrow; the strict reader parses every line that could come out otherwise.

Arrow's reader is as strict as ours about JSON itself, numbers and types. It differs in what is one line, in NaN, in the
integer ``-0``, in text that is not UTF-8 or not composed, and in fields that are missing. A block that has any of these
is halved until the lines that have them are found.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
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
_QUOTE, _COLON, _BEGIN, _END, _LINE_END, _SPACE, _MINUS, _BACKSLASH = b'":{}\n -\\'
# Where the integer -0 ends.
_ENDS = (_SPACE, ord(","), _END)


class Parsed(NamedTuple):
    """Records of one object in their order.

    ``payloads`` is an Arrow array. ``values`` has a column for each of the contract, with nulls where ``reasons`` is
    not empty. ``reasons`` and ``drift`` are None when no record has any.
    """

    lines: Sequence[int]
    payloads: Any
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
        lines = block.count(b"\n") + 1
        if block.strip():
            yield from _parsed(block, range(number, number + lines), columns)
        start, number = end, number + lines


def of_records(records: Sequence[RawRecord], columns: tuple[Column, ...]) -> Parsed:
    """Return what the strict reader has found in the same form."""
    nothing = (None,) * len(columns)
    rows = [record.values or nothing for record in records]
    values = [pa.array([row[place] for row in rows], _type(column)) for place, column in enumerate(columns)]
    reasons, drift = [record.reasons for record in records], [record.drift for record in records]
    payloads = pa.array([record.payload for record in records], pa.binary())
    return Parsed([record.line for record in records], payloads, values, reasons, drift)


def _end_of_line(text: bytes, start: int) -> int:
    return text.find(b"\n", start) + 1 or len(text)


def _type(column: Column) -> Any:
    # The strict reader has no values of a type that it does not know.
    return _TYPES.get(column.physical_type, pa.string())


def _parsed(block: bytes, lines: range, columns: tuple[Column, ...]) -> Iterator[Parsed]:
    values = _values(block, len(lines), columns)
    if values is not None:
        payloads = compute.split_pattern(pa.array([block], pa.binary()), b"\n").flatten()
        yield Parsed(lines, payloads, values, None, None)
    elif len(lines) <= FEW_LINES:
        records = list(json_lines.of_lines(block.split(b"\n"), lines.start, columns))
        if records:
            yield of_records(records, columns)
    else:
        half = len(block) // 2
        cut = max(block.find(b"\n", half), block.rfind(b"\n", 0, half))
        before = block.count(b"\n", 0, cut) + 1
        yield from _parsed(block[:cut], lines[:before], columns)
        yield from _parsed(block[cut + 1 :], lines[before:], columns)


def _values(block: bytes, number: int, columns: tuple[Column, ...]) -> list[Any] | None:
    """Return the values by column, or None when the strict reader could find others."""
    if not _is_usual(block, columns):
        return None
    schema = pa.schema([(column.name, _type(column)) for column in columns])
    options = json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error")
    whole = json.ReadOptions(use_threads=False, block_size=len(block) + 1)
    try:
        table = json.read_json(pa.BufferReader(block), whole, options).combine_chunks()
    except pa.ArrowInvalid:
        return None
    if table.num_rows != number:
        return None
    values = [_array(table.column(column.name)) for column in columns]
    if any(pa.types.is_floating(each.type) and not _is_finite(each) for each in values):
        return None
    return values if block.isascii() else [_composed(each) for each in values]


def _is_usual(block: bytes, columns: tuple[Column, ...]) -> bool:
    """Each line is one flat object with a field for each column, and nothing in it is read in two ways.

    That a field is there twice, and another is missing, is an error of Arrow.
    """
    if not (block.startswith(b"{") and block.endswith(b"}")):
        return False
    letters = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero(letters == _LINE_END)
    number = len(ends) + 1
    return (
        np.count_nonzero(letters == _BEGIN) == np.count_nonzero(letters == _END) == number
        and bool((letters[ends - 1] == _END).all() and (letters[ends + 1] == _BEGIN).all())
        # Control characters but for the line end, and the backslash, by which text can hold anything.
        and np.count_nonzero(letters < _SPACE) == len(ends)
        and not (letters == _BACKSLASH).any()
        and all(column.physical_type in _TYPES for column in columns)
        and _has_fields(letters, number * len(columns))
        and int(np.diff(ends, prepend=-1, append=len(block)).max()) - 1 <= json_lines.MAXIMUM_LINE_BYTES
        and not _has_minus_zero(letters)
        and _is_text(block)
    )


def _has_fields(letters: Any, number: int) -> bool:
    """There are so many names of fields. A name ends with a quote and a colon; a text may begin with them.

    Before the quote at which a text begins stands a colon or a space, and no column's name ends with either.
    """
    quotes = np.flatnonzero((letters[:-1] == _QUOTE) & (letters[1:] == _COLON))
    before = letters[quotes - 1]
    return len(quotes) == number and not ((before == _SPACE) | (before == _COLON)).any()


def _has_minus_zero(letters: Any) -> bool:
    """There may be the integer ``-0``, which the strict reader knows from ``0``; a text may hold the same."""
    found = np.flatnonzero((letters[:-2] == _MINUS) & (letters[1:-1] == ord("0")))
    return bool(np.isin(letters[found + 2], _ENDS).any())


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
    if not pa.types.is_string(values.type) or compute.all(compute.string_is_ascii(values), min_count=0).as_py():
        return values
    found = values.dictionary_encode()
    words = [unicodedata.normalize("NFC", word) for word in found.dictionary.to_pylist()]
    return pa.array(words, pa.string()).take(found.indices)
