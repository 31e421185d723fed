"""JSON objects as rows, as the OpenX SerDe of Athena reads them.

One line is one record. Keys match columns without regard to case; a missing key is null; a column of type string takes
any value as text; a number may come as text. A line that is no JSON object, or a value that does not fit its column,
fails the query, unless the table says ignore.malformed.json: then a line that is no JSON object is a row of nulls.
"""

import datetime
import decimal
import json
from typing import Any

import pyarrow as pa

from localaws.athena_catalog import Table
from localaws.athena_errors import QueryFailed


def rows(table: Table, key_values: tuple[Any, ...], text: str) -> pa.Table:
    """The records of one object, with the values of its partition."""
    schema = table.schema()
    forgiving = table.parameters.get("ignore.malformed.json", "").lower() == "true"
    records = [_record(line, forgiving) for line in text.split("\n") if line.strip()]
    arrays = [_column(schema.field(name), [record.get(name) for record in records]) for name in table.columns]
    for name, value in zip(table.keys, key_values, strict=True):
        arrays.append(pa.repeat(pa.scalar(value, schema.field(name).type), len(records)))
    return pa.Table.from_arrays(arrays, schema=schema)


def _record(line: str, forgiving: bool) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        if forgiving:
            return {}
        raise QueryFailed(f"HIVE_CURSOR_ERROR: Row is not a valid JSON Object - JSONException: {line[:120]!r}")
    return {name.lower(): value for name, value in found.items()}


def _column(field: pa.Field, values: list[Any]) -> pa.Array:
    try:
        return pa.array([_value(value, field.type) for value in values], field.type)
    except (ValueError, TypeError, ArithmeticError, pa.ArrowException) as error:
        raise QueryFailed(f"HIVE_BAD_DATA: Error parsing field value for field {field.name}: {error}") from error


def _value(value: Any, arrow: pa.DataType) -> Any:
    if value is None:
        return None
    if pa.types.is_string(arrow):
        return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    if pa.types.is_integer(arrow):
        return int(value)
    if pa.types.is_floating(arrow):
        return float(value)
    if pa.types.is_boolean(arrow):
        return value if isinstance(value, bool) else str(value).lower() == "true"
    if pa.types.is_decimal(arrow):
        return round(decimal.Decimal(str(value)), arrow.scale)
    if pa.types.is_date(arrow):
        return datetime.date.fromisoformat(value)
    if pa.types.is_timestamp(arrow):
        moment = datetime.datetime.fromisoformat(value)
        return moment.astimezone(datetime.UTC).replace(tzinfo=None) if moment.tzinfo else moment
    return _nested(value, arrow)


def _nested(value: Any, arrow: pa.DataType) -> Any:
    if pa.types.is_list(arrow):
        return [_value(item, arrow.value_type) for item in value]
    if pa.types.is_map(arrow):
        return [(_value(key, arrow.key_type), _value(item, arrow.item_type)) for key, item in value.items()]
    if pa.types.is_struct(arrow):
        lowered = {name.lower(): item for name, item in value.items()}
        return {field.name: _value(lowered.get(field.name), field.type) for field in arrow}
    raise TypeError(f"{arrow} has no form in JSON")
