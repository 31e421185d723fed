"""A run that goes on when it is told to, so that a test can put two of them in any order."""

from collections.abc import Callable
from threading import Semaphore, Thread

from lake.core.counts import Counts
from lake.runs.context import RunContext
from lake.runs.run import run
from tests.plain_work import REFRESH
from tests.wire import Wire

CALLS = ("UpdateItem", "TransactWriteItems", "CopyObject")
DEADLINE_SECONDS = 3600.0
LakeOn = Callable[[Wire], RunContext]


class Writer:
    """One run in a thread of its own that stops before each call that matters, until it is told to go on."""

    def __init__(self, lake_on: LakeOn) -> None:
        self._go, self._stopped = Semaphore(0), Semaphore(0)
        self._lake = lake_on(Wire(pause=self._pause))
        self._thread = Thread(target=self._work, daemon=True)
        self.result: Counts | BaseException | None = None

    def step(self) -> None:
        if self._thread.ident is None:
            self._thread.start()
        else:
            self._go.release()
        assert self._stopped.acquire(timeout=DEADLINE_SECONDS), "the writer hangs"

    def _pause(self, operation: str) -> None:
        if operation in CALLS:
            self._stopped.release()
            self._go.acquire()

    def _work(self) -> None:
        try:
            self.result = run(self._lake, REFRESH)
        except BaseException as error:  # whatever it is, the test judges it
            self.result = error
        self._stopped.release()
