"""An advance takes the time that was asked for, however long the work in it takes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from localaws.services.glue.process import PATIENCE_SECONDS, Activity

# A clock of its own, in a process of its own: what moves it moves all of a process. The work of the slow subscriber
# lets time go by as the machine's clock does, and a thread beside it would see that too.
SCRIPT = """
import json, time
from localaws.core import clock

clock.start()
begin = first = time.time()
seen = []

def slow(moment):
    clock._travel.shift(WORK)

def look(moment):
    seen.append(int(moment.timestamp() - begin))

clock.subscribe(slow)
clock.subscribe(look)
clock.advance(600)
begin = time.time()
clock.advance(90)
print(json.dumps({"seen": seen, "asked_for": clock.asked_for(first, first + 1e9)}))
"""


def lived(folder: Path, work: int) -> dict[str, Any]:
    script = SCRIPT.replace("WORK", str(work))
    environment = {**os.environ, "LOCALAWS_HOME": str(folder)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


@pytest.mark.component
@pytest.mark.parametrize("work", [0, 7, 59, 61, 400])
def test_time_does_not_hang_on_how_long_the_work_takes(tmp_path: Path, work: int) -> None:
    told = lived(tmp_path, work)
    assert told["seen"] == [*range(60, 601, 60), 60, 90]
    assert told["asked_for"] == pytest.approx(690, abs=5)


def test_a_job_on_a_slow_machine_does_not_hang() -> None:
    activity, used = Activity(0.0), 0.0
    for second in range(1, 3600):
        used += 0.1  # ten busy programs on one processor
        assert not activity.has_ceased(second, used)


def test_a_job_that_waits_hangs_after_a_while_and_still_does_later() -> None:
    activity, used = Activity(0.0), 0.0
    for second in range(1, 20):  # Spark starts
        used += 1
        activity.has_ceased(second, used)
    hanging = []
    for second in range(20, 2000):
        used += 0.01
        hanging.append(activity.has_ceased(second, used))
    first = hanging.index(True)
    assert first <= 2 * PATIENCE_SECONDS
    assert all(hanging[first:])
