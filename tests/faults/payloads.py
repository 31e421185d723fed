"""Raw objects that are broken in one way each: bytes for the cases of the catalogue that lines cannot say."""

import gzip
import json
import lzma
import random
from collections.abc import Callable
from typing import Any

from tests.faults.fault import Fault

FOLDER = "raw/iot-sensors/year=2026/month=11/day=20/"


def message(case: str, line: int, **changed: Any) -> dict[str, Any]:
    """A sound message; each line of each case has a key of its own."""
    return {
        "sensor_id": f"{case}-s",
        "city": "Paris",
        "timestamp": f"2026-11-20T{line // 3600:02d}:{line // 60 % 60:02d}:{line % 60:02d}+00:00",
        "temperature_c": 21.5,
        "humidity_pct": 40.0,
        "aqi": 42,
        "battery_level": 80.0,
        **changed,
    }


def objects(fault: Fault) -> dict[str, bytes]:
    """Key => body of the raw objects of a payload case."""
    if "lines" not in fault.script:
        return {f"{FOLDER}{name}": body for name, body in _MADE[fault.id](fault.id).items()}
    names = fault.script.get("names", [f"{fault.id}.json"])
    return {
        f"{FOLDER}{name}": _text(fault.id if number == 0 else f"{fault.id}.{number}", fault.script["lines"])
        for number, name in enumerate(names)
    }


def _text(case: str, lines: list[Any]) -> bytes:
    records: list[dict[str, Any]] = []
    return "\n".join(_line(case, line, records) for line in lines).encode()


def _line(case: str, line: Any, records: list[dict[str, Any]]) -> str:
    records.append(message(case, len(records) + 1))
    if isinstance(line, list):
        return json.dumps(records[-1]) * len(line)
    if line == "good":
        return json.dumps(records[-1])
    if isinstance(line, str):
        return line
    changed = dict(line)
    without = changed.pop("without", [])
    same = changed.pop("same_as", None)
    base = records[-1] if same is None else records[same - 1]
    records[-1] = {name: value for name, value in {**base, **changed}.items() if name not in without}
    return json.dumps(records[-1], ensure_ascii=False)


def _good(case: str, *lines: int) -> bytes:
    return b"".join(json.dumps(message(case, line)).encode() + b"\n" for line in lines)


def _between(case: str, middle: bytes) -> dict[str, bytes]:
    return {f"{case}.json": _good(case, 1) + middle + b"\n" + _good(case, 3)}


def _deep(case: str) -> bytes:
    return json.dumps(message(case, 2, firmware=0)).encode().replace(b": 0}", b": " + b"[" * 2000 + b"]" * 2000 + b"}")


def _utf16(case: str) -> dict[str, bytes]:
    text = _good(case, 1, 2).decode()
    return {f"{case}-{encoding}.json": text.encode(encoding) for encoding in ("utf-16", "utf-16-le", "utf-16-be")}


def _no_text(case: str) -> dict[str, bytes]:
    chance = random.Random(case)
    parquet = b"PAR1" + chance.randbytes(300_000) + b"PAR1"
    return {
        f"{case}.snappy.parquet": parquet,
        f"{case}.parquet.gz": gzip.compress(parquet),
        f"{case}.xz": lzma.compress(_good(case, *range(1, 1000))),
        f"{case}-line.json": chance.randbytes(300_000).replace(b"\n", b"\0"),
    }


_MADE: dict[str, Callable[[str], dict[str, bytes]]] = {
    "I33": lambda case: {f"{case}.gz": gzip.compress(_good(case, *range(1, 200)))[:-40]},
    "I35": lambda case: {f"{case}.gz": gzip.compress(_good(case, 1))[:-8] + bytes(8)},
    "I36": lambda case: {f"{case}.gz": _good(case, 1, 2)},
    "I37": lambda case: {f"{case}.json": gzip.compress(_good(case, 1, 2))},
    "I38": lambda case: {f"{case}.gz": b"".join(gzip.compress(_good(case, line)) for line in (1, 2, 3))},
    "I39": lambda case: {f"{case}.gz": gzip.compress(bytes(200_000_000), compresslevel=1)},
    "I40": lambda case: _between(case, json.dumps(message(case, 2, firmware="x" * 25 * 1024 * 1024)).encode()),
    "I42": lambda case: _between(case, _deep(case)),
    "I43": lambda case: {f"{case}.json": b"", f"{case}.gz": gzip.compress(b"")},
    "I45": lambda case: {f"{case}.json": b"\xef\xbb\xbf" + _good(case, 1, 2)},
    "I46": _utf16,
    "I47": lambda case: _between(
        case, json.dumps(message(case, 2, city="Orl\u00e9ans"), ensure_ascii=False).encode("latin-1")
    ),
    "I63": _no_text,
    "I59": lambda case: {f"{case}.json": _good(case, *range(1, 5001))},
}
