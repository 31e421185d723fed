"""The lease of a run that works for longer than a lease lasts."""

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
    """Renew the lease from time to time while the block runs; who is frozen or dead renews nothing.

    No renewal is under way any more when the block has ended. One that comes after another run has taken over is
    refused by the epoch, as the run itself will be when it prepares.
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
