"""Read an object in a process of its own, whose end is not the end of the job.

Only for an object that runs have claimed and not survived: starting a process takes longer than reading most objects.
"""

import json
import math
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lake.contract.model import Column
from lake.records import arrow_lines

# Ten times what the largest object that is allowed needs.
MOST_BYTES = 1024 * 1024 * 1024
MOST_SECONDS = 300
_BEGUN = b"begun"
_DATA_PAGES = 5


def is_survived(
    body: bytes, key: str, columns: tuple[Column, ...], most_bytes: int = MOST_BYTES, most_seconds: int = MOST_SECONDS
) -> bool:
    """Return False if a process that reads the object dies, or needs more memory or seconds of CPU than it is given.

    Where no such process can be started nothing is known against the object.
    """
    named = {column.name: column.physical_type for column in columns}
    said = (
        json.dumps({"key": key, "columns": named, "most_bytes": most_bytes, "most_seconds": most_seconds}).encode()
        + b"\n"
    )
    # What the task can import, and a memory pool that takes no more than it uses.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "ARROW_DEFAULT_MEMORY_POOL": "system"}
    command = [sys.executable, "-m", "lake.records.guarded"]
    done = subprocess.run(command, env=environment, input=said + body, capture_output=True, check=False)
    return done.returncode == 0 or _BEGUN not in done.stdout


def main() -> None:
    """Read the object on standard input, within its bounds."""
    said: Mapping[str, Any] = json.loads(sys.stdin.buffer.readline())
    columns = tuple(Column(name, of_type, "") for name, of_type in said["columns"].items())
    body = sys.stdin.buffer.read()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[_DATA_PAGES])
    limit = pages * resource.getpagesize() + said["most_bytes"]
    seconds = math.ceil(time.process_time()) + said["most_seconds"]
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    sys.stdout.buffer.write(_BEGUN)
    sys.stdout.buffer.flush()
    for _ in arrow_lines.read(body, said["key"], columns):
        pass


if __name__ == "__main__":
    main()
