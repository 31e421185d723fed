"""Whatever happens to the inputs, in whatever order: curated_city_hours is what plain Python makes of their rows.

More orders: LAKE_EXAMPLES=50.
"""

import os
from collections import defaultdict
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import Any

import pytest

from glue_jobs.weather_iot.transform import city_hours
from lake.core.errors import LakeError
from lake.operations.derivation.derive import Derive
from lake.pseudonyms import encryption
from lake.runs.run import run
from tests.lake.operating import Sensors, message
from tests.place import CITY_HOURS, READINGS, TARGET, Place, line

EXAMPLES = int(os.environ.get("LAKE_EXAMPLES", "1"))
STEPS = 14
DAYS, HOURS, SENSORS = (19, 20, 21), (0, 11, 23), ("s1", "s2", "s3")
WINDOW = {"first": "2026-11-19", "last": "2026-11-20", "allow_loss": True}
Row = tuple[Any, ...]
CITY_HOURS_NAMES = [column.name for column in CITY_HOURS.stored]


class Story:
    """A lake to which something happens at each step, chosen by chance."""

    def __init__(self, place: Place, chance: Random) -> None:
        self.place, self.sensors, self.chance = place, Sensors(place.lake, place), chance
        self.told: list[str] = []
        self.objects = 0

    def step(self) -> None:
        happen = self.chance.choice(
            [
                self.weather,
                self.weather,
                self.readings,
                self.readings,
                self.undo,
                self.backfill,
                self.replay,
                self.erase,
            ]
        )
        self.told.append(happen.__name__)
        happen()

    def weather(self) -> None:
        """New hours, corrected ones and a broken one."""
        good = [line(self.any(HOURS), self.degrees(), day=self.any(DAYS)) for _ in range(3)]
        self.place.put(self.name(), *good, line(1, 999.0))
        self.place.run()

    def readings(self) -> None:
        """New readings, corrected ones and a broken one."""
        good = [message(self.any(SENSORS), self.any(DAYS), self.any(HOURS), self.degrees()) for _ in range(4)]
        self.sensors.put(self.name(), *good, message("s1", 20, 1, 999.0))
        self.sensors.perform()

    def undo(self) -> None:
        """The last run of an input is undone, if it can be."""
        dataset, perform = self.any([(TARGET, self.place.perform), (READINGS, self.sensors.perform)])
        done = [each["run_id"] for each in self.place.lake.ledger.runs(dataset.name) if each["status"] == "COMMITTED"]
        try:
            perform("undo", run=done[-1] if done else "none")
        except LakeError as refused:
            self.told[-1] += f" refused: {refused}"

    def backfill(self) -> None:
        self.any([self.place.perform, self.sensors.perform])("backfill", **WINDOW)

    def replay(self) -> None:
        self.any([self.place.perform, self.sensors.perform])("replay", everything=True)

    def erase(self) -> None:
        subject = encryption.encrypted(READINGS.name, self.place.lake.keys, 1, self.any(SENSORS).encode())
        errors = f"s3://{self.place.bucket}/firehose-errors/"
        self.sensors.perform("erase", encrypted_payload=subject, key_version=1, stream="a-stream", errors=errors)

    def name(self) -> str:
        self.objects += 1
        return f"{self.chance.choice('abc')}-{self.objects}.json"

    def any(self, choices: Any) -> Any:
        return self.chance.choice(choices)

    def degrees(self) -> float:
        return self.chance.randrange(-200, 400) / 10


def expected(place: Place) -> dict[tuple[str, datetime], Row]:
    """The rows that the inputs' rows give, without Spark."""
    weather = {(row["city"], row["timestamp"]): row["temperature_c"] for row in place.rows(TARGET)}
    readings = defaultdict(list)
    for row in place.rows(READINGS):
        readings[row["city"], row["timestamp"].replace(minute=0, second=0, microsecond=0)].append(row)
    return {hour: (weather.get(hour), *sums(readings[hour])) for hour in {*weather, *readings}}


def sums(rows: list[dict[str, Any]]) -> Row:
    if not rows:
        return 0, 0, None, None, None
    values = [row["temperature_c"] for row in rows]
    mean = sum((Decimal(str(value)) for value in values), Decimal()) / len(values)
    rounded = float(mean.quantize(Decimal("0.01"), ROUND_HALF_UP))
    return len(rows), len({row["sensor_id_hash"] for row in rows}), rounded, min(values), max(values)


def found(place: Place) -> dict[tuple[str, datetime], Row]:
    names = [name for name in CITY_HOURS_NAMES if name.startswith(("weather_temp", "sensor"))]
    rows = place.rows(CITY_HOURS)
    by_hour = {(row["city"], row["timestamp"]): tuple(row[name] for name in names) for row in rows}
    assert len(by_hour) == len(rows), "a key is there twice"
    return by_hour


@pytest.mark.long
@pytest.mark.parametrize("seed", range(EXAMPLES))
def test_it_follows_its_inputs_whatever_happens_to_them(place: Place, seed: int) -> None:
    story = Story(place, Random(seed))
    rows = 0
    for number in range(STEPS):
        story.step()
        # Not after every step: what happens twice between two runs is followed as well.
        if story.chance.random() < 0.7 or number == STEPS - 1:
            run(place.lake, Derive(CITY_HOURS, city_hours))
            assert found(place) == expected(place), story.told
            rows = max(rows, len(found(place)))
    assert rows > 5
    run(place.lake, Derive(CITY_HOURS, city_hours))
    assert run(place.lake, Derive(CITY_HOURS, city_hours)).received == 0
