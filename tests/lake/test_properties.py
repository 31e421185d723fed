"""Whatever happens to the lake, in whatever order, it ends as a small model says. More examples: LAKE_EXAMPLES=50."""

import json
import os
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from pyspark.sql import SparkSession

from lake.core.counts import Counts
from lake.core.errors import LeaseLost
from lake.operations.refresh import Refresh
from lake.pseudonyms import keys
from lake.runs.ledger import LEASE
from lake.runs.run import run
from tests.broken_runs import WiredPlace, broken
from tests.local_aws import LocalAws
from tests.memory_aws import MemoryPlace
from tests.place import QUARANTINE, SOURCE, TARGET, lake_of_its_own, line, weather
from tests.plain_work import REFRESH, REREAD, check_end, check_ledger, check_step, record, shown
from tests.wire import Fault, Wire, Wired
from tests.writer import Writer

EXAMPLES = int(os.environ.get("LAKE_EXAMPLES", "1"))
FIRST_DAY, LAST_DAY = 10, 28
CALLS_OF_A_RUN = 45
RECORDS = st.lists(
    st.one_of(
        st.builds(record, st.sampled_from("xyz"), st.integers(0, 3), st.integers(FIRST_DAY, LAST_DAY)),
        st.just("no record"),
    ),
    max_size=4,
)
# Short names in any order: the order of keys is not the order of arrival.
NAMES = st.text("abc", min_size=1, max_size=2)


class AnyOrder(RuleBasedStateMachine):
    """The protocol of a run: objects arrive, runs work, break, sleep and wake up late, keys are rotated."""

    def __init__(self) -> None:
        super().__init__()
        self.place = MemoryPlace()
        self.bodies: dict[str, list[str]] = {}
        self.versions = [{"version": 1, "valid_from": "1970-01-01T00:00:00+00:00", "key": "first"}]
        self.sleeping: list[Writer] = []
        self.seen: dict[str, Any] = {}
        self.rotate()

    @initialize(records=RECORDS)
    def begin(self, records: list[str]) -> None:
        self.ingest("first", records)

    @rule(name=NAMES, records=RECORDS)
    def ingest(self, name: str, records: list[str]) -> None:
        """New, corrected, late and broken records; an object's key is never used twice."""
        key = f"{name}-{len(self.bodies)}.json"
        self.bodies[key] = records
        self.place.put(key, *records)

    @rule(name=NAMES, data=st.data())
    def deliver_twice(self, name: str, data: st.DataObject) -> None:
        self.ingest(name, self.bodies[data.draw(st.sampled_from(sorted(self.bodies)))])

    @rule(fault=st.sampled_from(Fault), at=st.integers(0, CALLS_OF_A_RUN), reads_all=st.booleans())
    def break_a_run(self, fault: Fault, at: int, reads_all: bool) -> None:
        broken(self.place.lake_on(Wire(fault, at)), REREAD if reads_all else REFRESH)

    @rule(steps=st.integers(1, 15))
    def start_a_run_that_falls_asleep(self, steps: int) -> None:
        writer = Writer(self.place.lake_on)
        for _ in range(steps):
            if writer.result is None:
                writer.step()
        self.sleeping.append(writer)

    @precondition(lambda self: self.sleeping)
    @rule(data=st.data())
    def wake_one_up(self, data: st.DataObject) -> None:
        self.finish(self.sleeping.pop(data.draw(st.integers(0, len(self.sleeping) - 1))))

    def finish(self, writer: Writer) -> None:
        while writer.result is None:
            writer.step()
        assert isinstance(writer.result, (Counts, LeaseLost)), repr(writer.result)

    @rule()
    def let_leases_end(self) -> None:
        self.place.clock.shift += LEASE + timedelta(seconds=1)

    @rule(reads_all=st.booleans())
    def run_undisturbed(self, reads_all: bool) -> None:
        """After it, all that has arrived is there, whatever has happened before."""
        self.let_leases_end()
        if reads_all:
            run(self.place.lake, REREAD)
        run(self.place.lake, REFRESH)
        check_end(self.place.lake)
        known = {(said["name"], said["day"]) for said in self.records()}
        assert len(shown(self.place.lake)) == len(known), "one row a key, whatever version its token has"

    def records(self) -> list[dict[str, Any]]:
        lines = (line for lines in self.bodies.values() for line in lines)
        return [json.loads(line) for line in lines if line.startswith("{")]

    @rule()
    def rotate(self) -> None:
        """A new version of the key, for event times after all that has arrived; not beyond the last day."""
        newest = max((said["day"] for said in self.records()), default=FIRST_DAY)
        moment = datetime(2026, 11, newest + 1, tzinfo=UTC).isoformat()
        if self.records() and all(version["valid_from"] != moment for version in self.versions):
            self.versions.append({"version": len(self.versions) + 1, "valid_from": moment, "key": f"key {moment}"})
        self.place.keys = keys.key_versions(json.dumps({"versions": self.versions}))
        self.place.lake = self.place.lake_on(Wire())

    @invariant()
    def no_reader_loses_anything(self) -> None:
        now = shown(self.place.lake)
        check_step(self.seen, now)
        self.seen = now

    def teardown(self) -> None:
        for writer in self.sleeping:
            self.finish(writer)
        if self.bodies:
            self.run_undisturbed(False)


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=40 * EXAMPLES, stateful_step_count=30, deadline=None, derandomize=True)

HOURS, CITIES = st.integers(0, 2), st.sampled_from(["Paris", "Oslo"])
LINES = st.lists(
    st.one_of(st.builds(line, HOURS, st.integers(0, 3).map(float), CITIES, st.integers(19, 20)), st.just("no record")),
    min_size=1,
    max_size=5,
)
ACTIONS = st.lists(st.one_of(LINES, st.tuples(st.sampled_from(Fault), st.integers(0, 29))), min_size=2, max_size=3)


@given(first=LINES, actions=ACTIONS)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    # An example takes seconds: what fails is shown as it was found.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_the_real_data_path_ends_as_the_model_says(
    aws: LocalAws, spark: SparkSession, wired: Wired, patient: None, first: list[str], actions: list[Any]
) -> None:
    with lake_of_its_own(aws, spark) as place:
        arrived: list[list[str]] = []
        for action in [first, *actions]:
            if isinstance(action, list):
                place.put(f"{len(arrived)}.json", *action)
                arrived.append(action)
            else:
                broken(WiredPlace(place, wired).lake_on(Wire(*action)), Refresh(TARGET, SOURCE, weather))
        place.clock.shift += LEASE + timedelta(seconds=1)
        place.run()
        lines = [line for lines in arrived for line in lines]
        good = [json.loads(line) for line in lines if line.startswith("{")]
        assert place.temperatures() == latest(good)
        assert len(place.rows(QUARANTINE)) == len(lines) - len(good)
        check_ledger(
            place.lake, list(place.lake.storage.list(place.lake.locations[SOURCE.name])), len(lines), len(latest(good))
        )


def latest(records: list[dict[str, Any]]) -> dict[tuple[str, str], float]:
    """The last record of each key, keys as ``Place.temperatures`` has them."""
    return {(said["city"], said["timestamp"][8:13]): said["temperature_c"] for said in records}
