"""Who owns a data folder's services, and who borrows them.

Two lock files: `services.lock` is held by the owner for as long as it runs; `borrowers.lock` is held shared
by every process that uses another owner's services, so that an owner that was only a short command waits for
them before it stops.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any


def _try_lock(file: IO[str], mode: int) -> bool:
    try:
        fcntl.flock(file, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class OwnerLock:
    """Held by the one process that runs the services of a data folder, until it ends in whatever way."""

    def __init__(self, home: Path) -> None:
        self._path = home / "services.lock"
        self._borrowers = home / "borrowers.lock"
        self._file: IO[str] | None = None

    @property
    def held(self) -> bool:
        return self._file is not None

    def acquire(self, **owner: Any) -> bool:
        """Takes the lock if it is free and notes in it who did; false where another process holds it."""
        file = self._path.open("a+")
        if not _try_lock(file, fcntl.LOCK_EX):
            file.close()
            return False
        self._file = file
        self.note(**owner)
        return True

    def note(self, **owner: Any) -> None:
        assert self._file is not None
        self._file.seek(0)
        self._file.truncate()
        json.dump({"pid": os.getpid(), **owner}, self._file)
        self._file.flush()

    def owner(self) -> dict[str, Any] | None:
        """What the holder noted about itself; None where nobody holds the lock."""
        try:
            file = self._path.open("r")
        except FileNotFoundError:
            return None
        with file:
            if _try_lock(file, fcntl.LOCK_SH):
                return None
            try:
                noted: dict[str, Any] = json.load(file)
            except ValueError:
                # The holder is just writing it.
                return {}
            return noted

    def borrow(self) -> IO[str]:
        """Marks this process as a user of the owner's services until the returned file is closed."""
        file = self._borrowers.open("a+")
        fcntl.flock(file, fcntl.LOCK_SH)
        return file

    @contextlib.contextmanager
    def without_borrowers(self, timeout: float | None) -> Iterator[bool]:
        """Waits until nobody borrows and keeps it so for the block; false where `timeout` was too short."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._borrowers.open("a+") as file:
            alone = _try_lock(file, fcntl.LOCK_EX)
            while not alone and (deadline is None or time.monotonic() < deadline):
                time.sleep(0.05)
                alone = _try_lock(file, fcntl.LOCK_EX)
            yield alone

    def release(self) -> None:
        if self._file is not None:
            self._file.seek(0)
            self._file.truncate()
            self._file.close()
            self._file = None
