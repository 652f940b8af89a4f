"""One progress bar for commands: redrawn in place on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from typing import Protocol

WIDTH = 28
QUIET_SECONDS = 5.0


class Stream(Protocol):
    def write(self, msg: str, /) -> object: ...
    def flush(self) -> None: ...
    def isatty(self) -> bool: ...


class Bar:
    """`show(step, done, total)` as often as one likes; `done()` leaves the last state standing."""

    def __init__(self, stream: Stream) -> None:
        # Django's wrapper would end every write with a new line.
        self._stream: Stream = getattr(stream, "_out", stream)
        self._step = ""
        self._began = 0.0
        self._last_line = ""
        self._shown_at = 0.0

    def show(self, step: str, done: int, total: int) -> None:
        now = time.monotonic()
        if step != self._step:
            self.done()
            self._step, self._began, self._shown_at = step, now, 0.0
        line = self._line(step, done, total, now - self._began)
        if line == self._last_line:
            return
        if self._stream.isatty():
            self._stream.write(f"\r\x1b[K{line}")
        elif now - self._shown_at >= QUIET_SECONDS:
            self._stream.write(line + "\n")
            self._shown_at = now
        self._last_line = line
        self._stream.flush()

    def done(self) -> None:
        if self._last_line and self._stream.isatty():
            self._stream.write("\n")
            self._stream.flush()
        self._step = self._last_line = ""

    @staticmethod
    def _line(step: str, done: int, total: int, seconds: float) -> str:
        if not total:
            return f"{step} …"
        filled = round(WIDTH * done / total)
        bar = "█" * filled + "░" * (WIDTH - filled)
        rate = done / seconds if seconds > 1 and done else 0.0
        left = f", {rate:.0f} a second, {(total - done) / rate:.0f} s left" if rate and done < total else ""
        return f"{step} {bar} {done:,} of {total:,}{left}"
