"""The end of a query: rows as Athena shows them (values as text, types by their Trino names), or an error.

AWS: shows doubles as Java prints them, rows and maps in braces, sums of integers as bigint. DuckDB: has other texts and
wider types. MiniStack: shows DuckDB's. Added: Athena's.
"""

import datetime
import decimal
import math
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_TYPE_NAMES = [
    (pa.types.is_boolean, "boolean", 0),
    (pa.types.is_int8, "tinyint", 3),
    (pa.types.is_int16, "smallint", 5),
    (pa.types.is_int32, "integer", 10),
    (pa.types.is_integer, "bigint", 19),
    (pa.types.is_float32, "float", 17),
    (pa.types.is_floating, "double", 17),
    (pa.types.is_date, "date", 0),
    (pa.types.is_time, "time", 3),
    (pa.types.is_binary, "varbinary", 1073741824),
    (pa.types.is_list, "array", 0),
    (pa.types.is_map, "map", 0),
    (pa.types.is_struct, "row", 0),
    (pa.types.is_string, "varchar", 2147483647),
    (pa.types.is_null, "unknown", 0),
]


class QueryFailed(Exception):
    """The query is FAILED; the text, in Athena's words where it has some, is the reason that the client reads."""


class QueryCancelled(Exception):
    """The query is CANCELLED, by its user or by the limit of its workgroup."""


class QueryRefused(Exception):
    """The query does not even start: InvalidRequestException."""


@dataclass
class Result:
    """The result of a statement. `header` says whether the column names are the first row, as for queries."""

    columns: list[dict[str, Any]] = field(default_factory=list)
    rows: list[list[str | None]] = field(default_factory=list)
    header: bool = False

    def all_rows(self) -> list[list[str | None]]:
        """The rows that GetQueryResults pages through."""
        names: list[str | None] = [column["Name"] for column in self.columns]
        return [names, *self.rows] if self.header else self.rows

    def file(self) -> bytes:
        """The result file: CSV with every value quoted and null as nothing, or plain lines for other statements."""
        if not self.header:
            return "".join("\t".join(value or "" for value in row) + "\n" for row in self.rows).encode()
        return "".join(",".join(map(_quoted, row)) + "\n" for row in self.all_rows()).encode()

    def metadata(self) -> bytes:
        """The file beside the result; Athena's own form is not documented, this one is a line for each column."""
        return "".join(f"{column['Name']}\t{column['Type']}\n" for column in self.columns).encode()


def of_query(table: pa.Table) -> Result:
    """The result of a SELECT."""
    columns = [_narrowed(column) for column in table.columns]
    texts = [_texts(column) for column in columns]
    described = [_column(name, column.type) for name, column in zip(table.column_names, columns, strict=True)]
    return Result(described, [list(row) for row in zip(*texts, strict=True)], header=True)


def of_lines(name: str, lines: list[str]) -> Result:
    """The result of a statement that answers lines of text."""
    return Result([{**_column(name, pa.string()), "Type": "string"}], [[line] for line in lines])


def type_name(arrow: pa.DataType) -> tuple[str, int, int]:
    """Trino's name of a type, its precision and its scale."""
    if pa.types.is_decimal(arrow):
        return "decimal", arrow.precision, arrow.scale
    if pa.types.is_timestamp(arrow):
        return ("timestamp with time zone" if arrow.tz else "timestamp"), 3, 0
    for is_type, name, precision in _TYPE_NAMES:
        if is_type(arrow):
            return name, precision, 0
    raise QueryFailed(f"NOT_SUPPORTED: not supported locally: a result of type {arrow}")


def _column(name: str, arrow: pa.DataType) -> dict[str, Any]:
    found, precision, scale = type_name(arrow)
    return {
        "CatalogName": "hive",
        "SchemaName": "",
        "TableName": "",
        "Name": name,
        "Label": name,
        "Type": found,
        "Precision": precision,
        "Scale": scale,
        "Nullable": "UNKNOWN",
        "CaseSensitive": found == "varchar",
    }


def _narrowed(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """DuckDB sums integers to 128 bits, which arrive as decimal(38,0), and counts some unsigned; Trino has bigint."""
    if column.type != pa.decimal128(38, 0) and not pa.types.is_unsigned_integer(column.type):
        return column
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise QueryFailed(f"NUMERIC_VALUE_OUT_OF_RANGE: bigint overflow: {error}") from error


def _texts(column: pa.ChunkedArray) -> list[str | None]:
    if pa.types.is_float32(column.type):
        # Arrow prints a 32-bit float with the digits that it has, Python would show it as 64 bits.
        return [None if text is None else _double(float(text)) for text in pc.cast(column, pa.string()).to_pylist()]
    return [None if value is None else _text(value, column.type) for value in column.to_pylist()]


def _text(value: Any, arrow: pa.DataType) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case float():
            return _double(value)
        case decimal.Decimal():
            return format(value, "f")
        case datetime.datetime():
            return value.isoformat(" ", "milliseconds").partition("+")[0] + (" UTC" if value.tzinfo else "")
        case bytes():
            return value.hex(" ")
        case dict():
            return "{" + ", ".join(f"{f.name}={_text(value[f.name], f.type)}" for f in arrow) + "}"
        case list() if pa.types.is_map(arrow):
            return "{" + ", ".join(f"{_text(k, arrow.key_type)}={_text(v, arrow.item_type)}" for k, v in value) + "}"
        case list():
            return "[" + ", ".join(_text(item, arrow.value_type) for item in value) + "]"
    return str(value)


def _double(value: float) -> str:
    """As Java prints a double, which is what Athena shows."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("-" if value < 0 else "") + "Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(value)
    sign, digits, exponent = decimal.Decimal(repr(value)).normalize().as_tuple()
    shown = "".join(map(str, digits))
    return f"{'-' if sign else ''}{shown[0]}.{shown[1:] or '0'}E{int(exponent) + len(digits) - 1}"


def _quoted(value: str | None) -> str:
    return "" if value is None else '"' + value.replace('"', '""') + '"'
