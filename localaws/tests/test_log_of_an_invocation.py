"""The log of an invocation is whole, however late its lines come."""

import queue
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

from localaws.ministack_fixes import awslambda
from localaws.services.awslambda.child import lambda_logging


class Late:
    """A queue that has nothing for many looks before each line."""

    def __init__(self, *lines: str) -> None:
        self._script: list[str | None] = [entry for line in lines for entry in (*[None] * 1000, line)]

    def get(self, timeout: float) -> str:
        entry = self._script.pop(0) if self._script else None
        if entry is None:
            raise queue.Empty
        return entry


def worker(lines: Any, runtime: str = "python3.13", is_alive: bool = True) -> Any:
    thread = SimpleNamespace(is_alive=lambda: is_alive)
    return SimpleNamespace(config={"Runtime": runtime}, _stderr_queue=lines, _stderr_thread=thread)


def never(*_arguments: Any, **_named: Any) -> NoReturn:
    raise AssertionError("the log was guessed")


def test_lines_are_waited_for_up_to_the_mark() -> None:
    lines = Late("one", "two", f"no line end{awslambda.END_OF_LOG}")
    assert awslambda._whole_log(never, worker(lines)) == "one\ntwo\nno line end"


def test_a_process_that_has_ended_sets_no_mark() -> None:
    lines: queue.Queue[str] = queue.Queue()
    lines.put("its last words")
    assert awslambda._whole_log(never, worker(lines, is_alive=False)) == "its last words"


def test_other_runtimes_set_no_mark_either() -> None:
    assert awslambda._whole_log(lambda _worker: "guessed", worker(Late(), runtime="nodejs22.x")) == "guessed"


def test_both_sides_know_the_same_mark(capsys: pytest.CaptureFixture[str]) -> None:
    lambda_logging.ended()
    assert capsys.readouterr().err == f"{awslambda.END_OF_LOG}\n"
