"""Child processes in groups of their own, with a guardian that outlives their parent."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mixcv.kernel.services import guardian as guardian_program

KEPT_LOGS = 3
WORKER_STAGE, SERVICE_STAGE = 0, 1


@dataclass
class Child:
    """A process that leads its own group, so that a terminal's Ctrl-C reaches only its parent."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path
    stop_signal: int
    started: float

    @property
    def pid(self) -> int:
        return self.popen.pid

    def exit_code(self) -> int | None:
        return self.popen.poll()

    def signal(self, number: int) -> None:
        """Sends to the leader alone; it knows how to end its own children."""
        if self.popen.poll() is None:
            self.popen.send_signal(number)

    def kill_group(self) -> None:
        """SIGKILL to all that is left of the group, and reaps the leader."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self.popen.wait()


class Guardian:
    """The parent's end of the guardian program."""

    def __init__(self) -> None:
        self._popen = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(guardian_program.__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )

    @property
    def pid(self) -> int:
        return self._popen.pid

    def _tell(self, line: str) -> None:
        assert self._popen.stdin is not None
        # A guardian that somebody killed is no reason to fail: the next start cleans up as well.
        with contextlib.suppress(BrokenPipeError, ValueError):
            self._popen.stdin.write(line.encode())
            self._popen.stdin.flush()

    def watch(self, child: Child, stage: int) -> None:
        self._tell(f"+ {child.pid} {stage} {int(child.stop_signal)}\n")

    def forget(self, child: Child) -> None:
        self._tell(f"- {child.pid}\n")

    def close(self) -> None:
        assert self._popen.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._popen.stdin.close()
        self._popen.wait()


def rotate(log: Path) -> None:
    """Moves `x.log` to `x.log.1` and so on; the oldest falls away."""
    if not log.exists() or not log.stat().st_size:
        return
    for number in range(KEPT_LOGS - 1, 0, -1):
        older = log.with_name(f"{log.name}.{number}")
        if older.exists():
            shutil.move(older, log.with_name(f"{log.name}.{number + 1}"))
    shutil.move(log, log.with_name(f"{log.name}.1"))


def ending(log: Path, lines: int = 15) -> str:
    """A sentence with the last lines of a log, for a person who wants to know why."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 16_384))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        text = ""
    return f"The end of {log}:\n" + "\n".join(text.splitlines()[-lines:])


def spawn(
    name: str,
    argv: Sequence[str],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stop_signal: int = signal.SIGTERM,
    umask: int = -1,
) -> Child:
    """Starts `argv` as the leader of a new session, its output appended to `log`. A umask of -1 is this one's."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        popen = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(env) if env is not None else None,
            cwd=cwd,
            start_new_session=True,
            umask=umask,
        )
    return Child(name, popen, log, stop_signal, time.monotonic())


def stop_all(
    children: Sequence[Child], *, grace: float, hurry: Callable[[], bool] = lambda: False
) -> list[str]:
    """Signals all, waits up to `grace` seconds for them together, kills what is left; names of those killed.

    `hurry` is asked while waiting: true ends the wait at once.
    """
    for child in children:
        child.signal(child.stop_signal)
    deadline = time.monotonic() + grace
    while time.monotonic() < deadline and not hurry():
        if all(child.exit_code() is not None for child in children):
            break
        time.sleep(0.02)
    killed = [child.name for child in children if child.exit_code() is None]
    for child in children:
        child.kill_group()
    return killed
