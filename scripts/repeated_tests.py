"""Run a collected test many times in one pytest session: so mutants are judged whose tests are dear to set up."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import pytest
from _pytest.runner import runtestprotocol


def failed(item: pytest.Item, seconds: int, following: pytest.Item | None = None) -> list[pytest.TestReport]:
    """Run one test once more; the reports of what failed of setup, call and teardown.

    A test that takes more than ``seconds`` has failed. What the session has set up stays, and of its module what the
    ``following`` test shares with it.
    """
    item._initrequest()  # type: ignore[attr-defined]  # all our tests are functions
    with _limited(seconds):
        reports = runtestprotocol(item, nextitem=following or item.session, log=False)  # type: ignore[arg-type]  # any node
    return [report for report in reports if report.failed]


def failure(item: pytest.Item, seconds: int, following: pytest.Item | None = None) -> str:
    """Why the test fails when it is run once more, or nothing."""
    return "\n".join(report.longreprtext or "failed" for report in failed(item, seconds, following))


def forget(session: pytest.Session) -> None:
    """Tear down what the session has set up, so that the next test sets it up anew."""
    session._setupstate.teardown_exact(None)


@contextmanager
def _limited(seconds: int) -> Iterator[None]:
    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"no end after {seconds} seconds")

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
