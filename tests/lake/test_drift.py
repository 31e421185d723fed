"""Schema drift: what is said of a field that is not the contract's."""

import json
from collections import Counter
from string import ascii_lowercase

import pytest

from lake.contract import model
from lake.records import drift, json_lines
from tests.place import Place, line

COLUMNS = model.load("raw_iot_sensors").stored
GOOD = {column.name: None for column in COLUMNS}


def shape(**changes: object) -> tuple[str, ...]:
    """What the reader says of a sensor message with these changes; the value ``...`` takes a field away."""
    record = {name: value for name, value in (GOOD | changes).items() if value is not ...}
    (read,) = json_lines.read(json.dumps(record).encode(), "raw/x.json", COLUMNS)
    return read.drift


def test_the_fields_of_the_contract_are_no_drift() -> None:
    assert drift.found({shape(): 12}) == {}
    assert drift.found({}) == {}


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"pm10": 1}, {"added:pm10": 10}),
        ({"aqi": ...}, {"removed:aqi": 10}),
        ({"aqi": ..., "AQI": 4}, {"renamed:aqi->AQI": 10}),
        ({"battery_level": ..., "battery_level_pct": 4}, {"renamed:battery_level->battery_level_pct": 10}),
        ({"aqi": ..., "wind": 4}, {"added:wind": 10, "removed:aqi": 10}),
        ({"aqi": "good"}, {"retyped:aqi": 10}),
    ],
)
def test_what_changed_is_named(changes: dict[str, object], found: dict[str, int]) -> None:
    assert drift.found({shape(**changes): 10}) == found


def test_a_field_that_only_some_records_lack_may_be_null_and_is_no_drift() -> None:
    assert drift.found({shape(aqi=...): 50, shape(): 1}) == {}


def test_a_field_that_a_few_records_lack_is_no_drift_even_if_they_are_all_there_is() -> None:
    assert drift.found({shape(aqi=...): 9}) == {}


def test_a_field_that_some_records_have_under_another_name_is_renamed() -> None:
    assert drift.found({shape(aqi=..., AQI=1): 5, shape(): 1}) == {"renamed:aqi->AQI": 5}


def test_two_new_fields_are_not_both_the_old_one() -> None:
    assert drift.found({shape(aqi=..., AQI=1, aqi_2=1): 1}) == {"added:aqi_2": 1, "renamed:aqi->AQI": 1}


def test_what_is_said_of_fields_stays_small() -> None:
    said = shape(**{f"{number}{'x' * 100}": 1 for number in range(1000)})
    assert (len(said), max(map(len, said))) == (json_lines.MAXIMUM_FIELDS_NAMED, len("added:") + 64)


@pytest.mark.parametrize("name", ["pm2_5", "temperature_2m", "air.quality", "wind-speed", "AQI", "x" * 64])
def test_a_name_such_as_fields_have_is_said(name: str) -> None:
    assert shape(**{name: 1}) == (f"added:{name}",)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "subject-4711",
        "measurement-of-0f8fad5b-d9cb-469f-a165-70867728950e-at",
        "a\tb",
        "a\nb",
        "\x1b[31mred",
        "<b>x</b>",
        "[bold]x",
        'a"b',
        "ann@example.com",
        "sans\u00a0espace",
        "\u202egnp",
    ],
)
def test_a_name_that_may_be_anything_else_does_not_leave_raw(name: str) -> None:
    assert shape(**{name: 1}) == (f"added:{json_lines.WITHHELD}",)


@pytest.mark.parametrize("name", ["ann", "readings_of_Ann"])
def test_a_name_that_repeats_a_value_of_its_record_does_not_leave_raw(name: str) -> None:
    assert shape(sensor_id="ann", **{name: 1}) == (f"added:{json_lines.WITHHELD}",)


def test_many_such_names_in_a_record_are_said_once_and_hide_no_other() -> None:
    names = {f"subject-{number}": 1 for number in range(1000, 1100)}
    assert shape(**names, zz=1) == ("added:zz", f"added:{json_lines.WITHHELD}")


def test_a_run_names_its_most_frequent_changes_and_counts_the_others() -> None:
    names = [first + second for first in ascii_lowercase for second in ascii_lowercase]
    found = drift.found({(f"added:{name}",): number for number, name in enumerate(names, start=1)})
    assert (len(names), len(found)) == (676, drift.MOST_NAMED + 1)
    assert found["added:zz"] == 676
    assert found[drift.OTHER] == sum(range(1, 676 - drift.MOST_NAMED + 1))


def test_the_shapes_of_an_object_stay_few_whatever_its_sender_calls_his_fields() -> None:
    names = [first + second + third for first in ascii_lowercase for second in ascii_lowercase for third in "abcdef"]
    shapes: Counter[tuple[str, ...]] = Counter({("added:pm10", "missing:aqi"): 5000, (): 3})
    for name in names:
        drift.add(shapes, {("added:" + name, "missing:aqi"): 1, ("added:pm10", "missing:aqi"): 1})
    assert len(shapes) == drift.MOST_SHAPES + 1
    assert sum(shapes.values()) == 5003 + 2 * len(names)
    found = drift.found(shapes)
    assert len(found) <= drift.MOST_NAMED + 1
    assert found["added:pm10"] == 5000 + len(names)
    assert sum(found.values()) == 5000 + 2 * len(names)


def test_the_longest_drift_is_a_small_part_of_an_item_of_the_ledger() -> None:
    fields = [column.name for column in COLUMNS]
    shapes: Counter[tuple[str, ...]] = Counter()
    for number in range(10_000):
        old, new = fields[number % len(fields)], f"{fields[number % len(fields)]}{'x' * 64}"[:60]
        name = "".join(ascii_lowercase[number // 26**place % 26] for place in range(4))
        drift.add(shapes, {(f"missing:{old}", f"added:{new[:60]}{name}"): 1, (f"added:{name * 16}",): 1})
    found = drift.found(shapes)
    assert sum(found.values()) == 20_000
    assert len(json.dumps(found)) < 20_000


def test_every_field_that_may_be_missing_makes_no_shape_of_its_own_either() -> None:
    shapes: Counter[tuple[str, ...]] = Counter()
    fields = [f"missing:{letter}" for letter in ascii_lowercase]
    for number in range(5000):
        shape = tuple(field for place, field in enumerate(fields) if number >> place & 1)
        drift.add(shapes, {shape: 1, ("retyped:aqi", *shape): 1})
    assert len(shapes) <= 2 * drift.MOST_SHAPES + 2
    assert sum(shapes.values()) == 10_000


def test_a_long_list_of_changes_is_cut_where_people_read_it() -> None:
    counts = {f"added:{letter}": number for number, letter in enumerate(ascii_lowercase)}
    assert drift.said(counts, "{} {}") == (
        "added:z 25, added:y 24, added:x 23, added:w 22, added:v 21, added:u 20, added:t 19, added:s 18, added:r 17, "
        "added:q 16 and 16 more"
    )
    assert drift.said({"added:a": 1, "added:b": 1}, "{} ({})") == "added:a (1), added:b (1)"
    assert drift.said({}, "{} {}") == ""


def test_a_run_names_the_field_counts_it_and_measures_it(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    more = {**json.loads(line(1, 10.0)), "pressure_hpa": 1013}
    place.put("a.json", json.dumps(more), json.dumps({**more, "timestamp": "2026-11-20T02:00"}))
    counts = place.run()
    assert (counts.new, counts.quarantined) == (2, 0)
    assert counts.drift["added:pressure_hpa"] == 2
    assert place.runs()[0]["drift"] == counts.drift
    assert place.measured("SchemaDrift", "Maximum") == len(counts.drift)
    assert "schema drift in raw_weather: added:pressure_hpa in 2 of 2 records" in caplog.text
