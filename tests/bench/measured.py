"""Run a program and measure it with all that it starts: processor time, memory; up to a mark that it prints."""

import json
import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

MARK = "mark "
RESULT = "result "
_SECONDS_BETWEEN_SAMPLES = 0.1


class Failed(Exception):
    """A program did not end well; the message is the end of what it said."""


@dataclass(frozen=True)
class Measured:
    """Processor seconds of a tree of processes at each mark and at its end, its largest memory, what it found."""

    marks: Mapping[str, float]
    peak_bytes: int
    result: Mapping[str, Any]

    def between(self, start: str, end: str) -> float:
        """Return the processor seconds from one mark to another; an empty ``start`` is the program's start."""
        return self.marks[end] - (self.marks[start] if start else 0.0)


class _Tree:
    """A process and its descendants. One that has ended counts with what it had when it was seen last."""

    def __init__(self, process: psutil.Process) -> None:
        self._root = process
        self._seconds: dict[tuple[int, float], float] = {}
        self._lock = threading.Lock()
        self.peak = 0

    def sample(self) -> float:
        """Look at all processes and return their processor seconds until now."""
        with self._lock:
            memory = 0
            for process in self._living():
                try:
                    times = process.cpu_times()
                    self._seconds[process.pid, process.create_time()] = times.user + times.system
                    # What forked processes share counts once.
                    memory += process.memory_full_info().pss
                except psutil.Error:
                    continue
            self.peak = max(self.peak, memory)
            return sum(self._seconds.values())

    def _living(self) -> list[psutil.Process]:
        try:
            return [self._root, *self._root.children(recursive=True)]
        except psutil.Error:
            return []


def run(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Measured:
    """Run a program to its end; raises Failed. It prints ``mark NAME`` lines and one ``result JSON`` line."""
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=errors, text=True, bufsize=1
        )
        tree, ended = _Tree(psutil.Process(process.pid)), threading.Event()
        sampler = threading.Thread(target=_sample, args=(tree, ended), daemon=True)
        sampler.start()
        marks, result = _listen(process, tree)
        ended.set()
        sampler.join()
    if process.wait() or result is None:
        raise Failed(f"{' '.join(command)} ended with {process.returncode}: {log.read_text(encoding='utf-8')[-2000:]}")
    return Measured(marks, tree.peak, result)


def _sample(tree: _Tree, ended: threading.Event) -> None:
    while not ended.wait(_SECONDS_BETWEEN_SAMPLES):
        tree.sample()


def _listen(process: "subprocess.Popen[str]", tree: _Tree) -> tuple[dict[str, float], dict[str, Any] | None]:
    marks: dict[str, float] = {}
    result = None
    for line in process.stdout or ():
        if line.startswith(MARK):
            marks[line.removeprefix(MARK).strip()] = tree.sample()
        elif line.startswith(RESULT):
            result = json.loads(line.removeprefix(RESULT))
    return marks, result
