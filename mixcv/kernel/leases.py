"""Keeping what one holds: a lease renewed from a thread of its own while work goes on."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import DatabaseError, close_old_connections, connection

log = logging.getLogger(__name__)


@contextmanager
def renewed(renew: Callable[[], None], *, every: float) -> Iterator[None]:
    """Calls `renew` every so many seconds, in a thread with a database connection of its own, until the block ends."""
    over = threading.Event()

    def keep() -> None:
        try:
            while not over.wait(every):
                try:
                    close_old_connections()
                    renew()
                except DatabaseError:
                    # It may be back before the lease ends.
                    log.exception("A lease could not be renewed")
        finally:
            connection.close()

    thread = threading.Thread(target=keep, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(timeout=5)
