"""Sensor messages as Firehose delivers them, by a seed: repeated, late and invalid ones, one sensor that says most."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

FIRST = datetime(2026, 11, 20, tzinfo=UTC)
CITIES = ("Melbourne", "Adelaide", "Kathmandu", "Paris", "Brasília")
DUPLICATE, LATE, INVALID, OF_ONE_SENSOR = 0.01, 0.005, 0.002, 0.02
SENSORS = 5000


@dataclass(frozen=True)
class Truth:
    """What is true of the records whoever computes it: valid ones, each key once. Temperatures are in hundredths."""

    records: int
    valid: int
    distinct: int
    temperatures: int
    lowest: int
    highest: int


def write(folder: Path, records: int, objects: int, hours: int = 24, seed: int = 1) -> Truth:
    """Write gzipped JSON lines into ``objects`` files and return what is true of them."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = _lines(records, hours, Random(seed))
    valid, distinct = 0, dict[int, int]()
    for number in range(objects):
        share = records // objects + (number < records % objects)
        with gzip.open(folder / f"part-{number:05d}.gz", "wt", compresslevel=1, encoding="utf-8") as file:
            for _ in range(share):
                text, key, temperature, is_valid = next(lines)
                file.write(text)
                valid += is_valid
                if is_valid:
                    distinct[key] = temperature
    found = distinct.values()
    return Truth(records, valid, len(distinct), sum(found), min(found), max(found))


def _lines(records: int, hours: int, chance: Random) -> Iterator[tuple[str, int, int, bool]]:
    """Yield line, key, temperature in hundredths of a degree, and whether the line is valid."""
    step = timedelta(hours=hours) / records
    last: tuple[str, int, int, bool] | None = None
    for number in range(records):
        if last and chance.random() < DUPLICATE:
            yield last
            continue
        late = timedelta(days=1) if chance.random() < LATE else timedelta()
        is_valid = chance.random() >= INVALID
        temperature = max(-4999, min(5999, round(chance.gauss(15, 10) * 100))) if is_valid else 99900
        sensor = 0 if chance.random() < OF_ONE_SENSOR else chance.randrange(SENSORS)
        said = {
            "sensor_id": f"sensor-{sensor:012x}",
            "city": chance.choice(CITIES),
            "timestamp": (FIRST + step * number - late).isoformat(),
            "temperature_c": temperature / 100,
            "humidity_pct": chance.randrange(200, 1000) / 10,
            "aqi": chance.randrange(200),
            "battery_level": chance.randrange(150, 1000) / 10,
        }
        last = (json.dumps(said, ensure_ascii=False) + "\n", number, temperature, is_valid)
        yield last
