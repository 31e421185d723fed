"""Shapes: what is drawn where."""

from dataclasses import replace
from datetime import timedelta

from lake.environment.alarms import Change
from lake.environment.timeseries import Point
from lake.report import charts, layout
from tests.report import sample

START, END = sample.NOW - timedelta(days=7), sample.NOW


def points(*hours: float, value: float = 1.0) -> list[Point]:
    return [Point(END - timedelta(hours=hour), value) for hour in hours]


def test_a_curve_does_not_go_through_silence() -> None:
    drawn = charts.curve(points(10, 9, 8, 3, 2), START, END, limit=None)
    assert [line.count("L") for line in drawn.lines] == [2, 1]


def test_a_lone_point_is_still_a_stroke() -> None:
    (line,) = charts.curve(points(84), START, END, limit=None).lines
    assert line == "M50.00 9.09L50.00 9.09h.4"


def test_the_axis_holds_the_limit_also_when_all_values_are_far_below() -> None:
    drawn = charts.curve(points(1, value=10.0), START, END, limit=100.0)
    assert drawn.top > 100
    assert drawn.limit is not None and 0 < drawn.limit < 20


def test_the_newest_run_stands_at_the_right() -> None:
    (run, *_) = sample.runs()
    bars, top = charts.bars([run], 20)
    assert (top, {round(bar.x) for bar in bars}) == (run.received, {96})


def test_a_few_bad_records_among_many_are_still_seen() -> None:
    run = replace(sample.runs()[0], received=1_000_000, new=999_998, replaced=0, duplicate=0, quarantined=2)
    bars, _ = charts.bars([run], 20)
    assert [(bar.kind, bar.height >= 2) for bar in bars] == [("new", True), ("quarantined", True)]
    assert "2 quarantined" in bars[1].title


def test_an_alarm_without_changes_had_its_state_all_the_time() -> None:
    alarm = replace(sample.busy().state.alarms.value[-1], since=START - timedelta(days=1))  # type: ignore[index]
    assert [(piece.kind, piece.x, piece.width) for piece in charts.band(alarm, [], START, END)] == [("OK", 0, 100)]


def test_each_change_of_an_alarm_begins_a_piece() -> None:
    alarm = sample.busy().state.alarms.value[-1]  # type: ignore[index]
    middle = START + (END - START) / 2
    changes = [Change(alarm.name, middle, "OK", "ALARM", ""), Change("another", middle, "OK", "ALARM", "")]
    pieces = charts.band(alarm, changes, START, END)
    assert [(piece.kind, piece.x, piece.width) for piece in pieces] == [("OK", 0, 50), ("ALARM", 50, 50)]


def test_an_alarm_that_has_just_begun_is_seen() -> None:
    alarm = sample.busy().state.alarms.value[-1]  # type: ignore[index]
    (_, piece) = charts.band(alarm, [Change(alarm.name, END - timedelta(seconds=5), "OK", "ALARM", "")], START, END)
    assert (piece.kind, piece.x + piece.width) == ("ALARM", 100)


def test_of_an_alarm_before_its_first_evaluation_nothing_is_drawn() -> None:
    alarm = sample.busy().state.alarms.value[-1]  # type: ignore[index]
    change = Change(alarm.name, END - timedelta(days=1), "INSUFFICIENT_DATA", "OK", "")
    assert [piece.kind for piece in charts.band(alarm, [change], START, END)] == ["OK"]


def test_no_step_of_the_flow_stands_on_another() -> None:
    flow = sample.busy().flow.value
    assert flow
    for picture in (layout.wide(flow), layout.narrow(flow)):
        boxes = picture.boxes
        assert all(box.x >= 0 and box.x + box.width <= picture.width for box in boxes)
        assert all(box.y >= 0 and box.y + box.height <= picture.height for box in boxes)
        overlapping = [
            (one.node.name, other.node.name)
            for number, one in enumerate(boxes)
            for other in boxes[:number]
            if abs(one.middle[0] - other.middle[0]) < (one.width + other.width) / 2
            and abs(one.middle[1] - other.middle[1]) < (one.height + other.height) / 2
        ]
        assert overlapping == []
        assert len(picture.paths) == len(flow.edges)
