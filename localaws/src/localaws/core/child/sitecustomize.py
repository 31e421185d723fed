"""First module a child process of localaws imports: puts it on the clock of localaws (see localaws/clock.py).

Lives in a folder of its own, because Python looks for a module of exactly this name on its path.
"""

import os
import time
from pathlib import Path

import time_machine

_travel = time_machine.travel(time.time(), tick=True).start()
_applied = 0.0


def follow() -> None:
    """Take over the offset as it is now; a process that outlives an `advance` calls this again."""
    global _applied
    offset = float(Path(os.environ["LOCALAWS_CLOCK_FILE"]).read_text(encoding="ascii"))
    _travel.shift(offset - _applied)
    _applied = offset


follow()
