"""Ends what is left when the process that started it was killed outright.

Runs as a program of its own, on the standard library alone. Its standard input is a pipe from its owner and
ends when the owner ends, however that came about. Lines on it: `+ GROUP STAGE SIGNAL` for a process group to
look after, `- GROUP` for one that is gone. At the pipe's end the groups of each stage get their signal, some
seconds, then SIGKILL, stage after stage: workers first, then the database that they write to.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

GRACE_SECONDS = 8.0


def alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        # macOS answers so for a group of which only a zombie is left.
        return False
    return True


def end(groups: dict[int, int], grace: float) -> None:
    """Signals every group, waits up to `grace` seconds, kills the rest."""
    for group, number in groups.items():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
    deadline = time.monotonic() + grace
    while time.monotonic() < deadline and any(alive(group) for group in groups):
        time.sleep(0.05)
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    watched: dict[int, tuple[int, int]] = {}
    for line in sys.stdin:
        sign, group, *rest = line.split()
        if sign == "+":
            watched[int(group)] = (int(rest[0]), int(rest[1]))
        else:
            watched.pop(int(group), None)
    for stage in sorted({stage for stage, _ in watched.values()}):
        end({group: number for group, (at, number) in watched.items() if at == stage}, GRACE_SECONDS)


if __name__ == "__main__":
    main()
