"""Renew the lease of a run that works for longer than a lease lasts."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from lake.core.errors import LeaseLost
from lake.runs.ledger import LEASE, Ledger, Lock

EVERY = LEASE / 3
logger = logging.getLogger(__name__)


@contextmanager
def beating(ledger: Ledger, lock: Lock) -> Iterator[None]:
    """Renew the lease in a background thread while the block runs.

    A frozen or dead process stops renewing, so its lease expires. The thread has ended when the block ends. A renewal
    after another run has taken over is refused by the fencing token, as is the run itself when it prepares.
    """
    ended = threading.Event()
    thread = threading.Thread(target=_beat, args=(ledger, lock, ended), name=f"lease of {lock.owner}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _beat(ledger: Ledger, lock: Lock, ended: threading.Event) -> None:
    while not ended.wait(EVERY.total_seconds()):
        try:
            ledger.renew(lock)
        except LeaseLost as lost:
            logger.warning("%s", lost)
            return
        except (BotoCoreError, ClientError):
            logger.exception("%s: run %s could not renew its lease and will try again", lock.dataset, lock.owner)
