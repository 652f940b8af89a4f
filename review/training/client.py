"""The worker's side of a training process: starts it, reads its lines, ends it."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from django.conf import settings

from extraction.packages.host.environment import host_environment
from review.training.errors import TrainingFailed

ENTRY = Path(__file__).resolve().parent / "process" / "__main__.py"
_LAST_LINES = 40


class TrainingProcess:
    """One process for one run, of a group of its own. Leaving the block ends it and all that it started.

    `request`: see `process.work.work`. Start it in the thread that reads it: the kernel ends the process with it.
    """

    def __init__(self, request: dict[str, Any]) -> None:
        self.request = request
        self._messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._words: deque[str] = deque(maxlen=_LAST_LINES)
        self._process: subprocess.Popen[bytes] | None = None
        self._threads: list[threading.Thread] = []
        self._home = Path(request["folder"]) / "home"

    def __enter__(self) -> TrainingProcess:
        for name in ("", "tmp", "cache"):
            (self._home / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-B", str(ENTRY)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self._home,
            env=host_environment(self._home, weights_dir=settings.MIXCV_WEIGHTS, threads=threads),
            start_new_session=True,
        )
        for stream, take in ((self._process.stdout, self._read), (self._process.stderr, self._listen)):
            thread = threading.Thread(target=take, args=(stream,), name="training", daemon=True)
            thread.start()
            self._threads.append(thread)
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # if it ended at once, the reader says why
            self._process.stdin.write(json.dumps(self.request).encode() + b"\n")
            self._process.stdin.flush()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._process
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        shutil.rmtree(self._home, ignore_errors=True)

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def next(self, timeout: float) -> dict[str, Any] | None:
        """The next message, or None where none comes in so many seconds. Raises TrainingFailed once it has ended."""
        try:
            message = self._messages.get(timeout=timeout)
        except queue.Empty:
            return None
        if message is None:
            raise TrainingFailed(self._why())
        return message

    def _read(self, stream: IO[bytes]) -> None:
        with contextlib.suppress(OSError, ValueError):  # closed by the end of the block
            for line in stream:
                try:
                    message = json.loads(line)
                except ValueError:
                    continue
                if isinstance(message, dict) and "op" in message:
                    self._messages.put(message)
        self._messages.put(None)

    def _listen(self, stream: IO[bytes]) -> None:
        with contextlib.suppress(OSError, ValueError):
            for line in iter(lambda: stream.readline(2000), b""):
                self._words.append(line.decode("utf-8", "replace"))

    def _why(self) -> str:
        assert self._process is not None
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "The training process stopped talking and was ended."
        for thread in self._threads:
            thread.join(timeout=2)  # so that its last words are there
        if code == -signal.SIGKILL:
            return (
                "The training process was killed by the system, most likely because memory ran out. Choose a smaller "
                "batch or image size and start again."
            )
        how = f"by signal {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        words = "".join(self._words).strip()[-1500:]
        return f"The training process ended {how}." + (f" Its last words: {words}" if words else "")
