"""SIGINT, SIGTERM and SIGHUP for a process that has things to put in order first."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType


class Interrupted(BaseException):
    """The person, or the system, wants the process to end. No `except Exception` may swallow it."""


class StopRequest:
    """Counts stop signals. What can be left anywhere runs in `interruptible()`; all else asks `wanted`."""

    def __init__(self) -> None:
        self.count = 0
        self._may_raise = False

    @property
    def wanted(self) -> bool:
        return self.count > 0

    @property
    def hurry(self) -> bool:
        return self.count > 1

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1
        if self._may_raise:
            self._may_raise = False
            raise Interrupted

    def raise_if_wanted(self) -> None:
        if self.wanted:
            raise Interrupted

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """A stop signal raises Interrupted at once inside the block."""
        self.raise_if_wanted()
        self._may_raise = True
        try:
            yield
        finally:
            self._may_raise = False

    @contextlib.contextmanager
    def installed(self) -> Iterator[StopRequest]:
        numbers = [signal.SIGINT, signal.SIGTERM]
        # A closed terminal ends it as well, but not under nohup.
        if signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:
            numbers.append(signal.SIGHUP)
        before = {number: signal.signal(number, self._handle) for number in numbers}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
