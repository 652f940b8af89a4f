"""The worker's side of a host: starts it, watches it, sends requests and gives futures."""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import numpy as np
import psutil
from numpy.typing import NDArray

from extraction.packages.host.answers import embed_results, image_results, text_vectors
from extraction.packages.host.environment import host_environment
from extraction.packages.host.errors import (
    HostClosed,
    HostCrashed,
    HostError,
    HostOutOfMemory,
    HostTimeout,
    PackageError,
)
from extraction.packages.host.spec import EmbedResult, HostInfo, HostSpec, ImageResult
from extraction.packages.host.wire import BrokenFrame, Frame, read_frame, write_frame

log = logging.getLogger(__name__)
ENTRY = Path(__file__).resolve().parent / "__main__.py"
LAST_WORDS_LINES = 40
WATCH_S = 0.2
Box = tuple[float, float, float, float]


@dataclass
class _Pending:
    """A request that waits for its answer."""

    future: Future[Any]
    decode: Callable[[Frame], Any]


class Host:
    """One host process. Thread-safe; requests are answered in order.

    `submit` may be called several times without waiting: the host decodes the next request's images
    while one runs. After any HostError but PackageError the process is gone: `alive` is False.
    """

    def __init__(self, spec: HostSpec) -> None:
        self.spec = spec
        self.info = HostInfo("", {}, {}, {})
        # The registry's models that the package asked for so far.
        self.models: set[str] = set()
        self._process: subprocess.Popen[bytes] | None = None
        self._ready: Future[HostInfo] = Future()
        self._pending: dict[int, _Pending] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._words: deque[str] = deque(maxlen=LAST_WORDS_LINES)
        self._reason: HostError | None = None
        self._ended = threading.Event()
        self._deadline = 0.0
        self._home: Path | None = None

    @property
    def alive(self) -> bool:
        """Whether the process runs and takes requests."""
        return self._process is not None and not self._ended.is_set() and self._process.poll() is None

    @property
    def busy(self) -> bool:
        """Whether a request waits for its answer."""
        return bool(self._pending)

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def last_words(self) -> str:
        """The last lines that the process wrote to stderr (a package's prints as well)."""
        return "".join(self._words).strip()

    def start(self) -> HostInfo:
        """Start the process and wait until its model is loaded. Raises HostError."""
        self._deadline = time.monotonic() + self.spec.start_timeout_s
        threading.Thread(target=self._live, name=f"host-{self.spec.key}", daemon=True).start()
        self.info = self._ready.result()
        return self.info

    def submit(self, paths: Sequence[str | Path], *, embed: bool = True) -> Future[list[ImageResult]]:
        """Detect and embed: one ImageResult per path, in order. The future raises HostError.

        Without `embed` no crop is embedded, and `crop_embedding` is empty.
        """
        request = {"op": "detect", "paths": [str(path) for path in paths], "embed": embed}
        return cast("Future[list[ImageResult]]", self._send(request, image_results))

    def embed(self, items: Sequence[tuple[str | Path, Sequence[Box]]]) -> Future[list[EmbedResult]]:
        """Embed given boxes (x, y centre, w, h in pixels of the upright image) of images, in order."""
        request = {
            "op": "embed",
            "paths": [str(path) for path, _ in items],
            "boxes": [[list(box) for box in boxes] for _, boxes in items],
        }
        return cast("Future[list[EmbedResult]]", self._send(request, embed_results))

    def embed_texts(self, texts: Sequence[str]) -> Future[NDArray[np.float16]]:
        """Embed texts into the space of the crops, (n, 512); PackageError where nothing reads them."""
        request = {"op": "embed_texts", "paths": [], "texts": list(texts)}
        return cast("Future[NDArray[np.float16]]", self._send(request, text_vectors))

    def close(self) -> None:
        """End the process and all it started; waiting requests fail with HostClosed."""
        self._kill(HostClosed("The host was closed."))
        self._ended.wait(timeout=10)

    def _send(self, request: dict[str, Any], decode: Callable[[Frame], Any]) -> Future[Any]:
        future: Future[Any] = Future()
        with self._lock:
            if not self.alive:
                raise self._reason or HostCrashed("The host is not running.", last_words=self.last_words)
            number = next(self._numbers)
            if not self._pending:
                self._deadline = time.monotonic() + self.spec.batch_timeout_s
            self._pending[number] = _Pending(future, decode)
        # If the process is gone, the reader fails the future with the reason.
        with contextlib.suppress(OSError, ValueError), self._writing:
            write_frame(self._stdin, {**request, "id": number})
        return future

    @property
    def _stdin(self) -> BinaryIO:
        if self._process is None or self._process.stdin is None:
            raise ValueError("the host was not started")
        return cast("BinaryIO", self._process.stdin)

    def _live(self) -> None:
        """Start the process, read its answers, and say why it ended.

        The process is started from this thread, which lives as long as it does: the kernel kills it
        when the thread that started it ends.
        """
        try:
            process = self._spawn()
        except Exception as error:  # this thread's boundary: `start` waits for `_end`
            log.exception("host %s: starting", self.spec.key)
            if self._process is not None:
                self._kill_group(self._process)
                self._process.wait()
            self._end(HostCrashed(f"The host cannot be started: {error}"))
            return
        stderr = threading.Thread(target=self._listen, args=(process.stderr,), daemon=True)
        stderr.start()
        threading.Thread(target=self._watch, args=(process,), daemon=True).start()
        try:
            broken = self._read(cast("BinaryIO", process.stdout))
        except Exception as error:  # the boundary, as above: all that waits must hear of it
            log.exception("host %s: reading an answer", self.spec.key)
            broken = f"its answer cannot be read ({type(error).__name__}: {error})"
        self._kill_group(process)
        code = process.wait()
        stderr.join(timeout=2)
        self._end(self._reason or self._why(code, broken))

    def _spawn(self) -> subprocess.Popen[bytes]:
        sweep(self.spec.work_dir)
        home = self.spec.work_dir / f"host-{self.spec.key}-{os.getpid()}-{id(self):x}"
        for folder in (home, home / "tmp", home / "cache", home / "run"):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._home = home
        threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        process = subprocess.Popen(
            [sys.executable, "-I", "-B", str(ENTRY)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=home / "run",
            env=host_environment(home, weights_dir=self.spec.weights_dir, threads=threads),
            start_new_session=True,
        )
        self._process = process
        if self._reason is not None:  # closed meanwhile
            self._kill_group(process)
        with contextlib.suppress(OSError):  # if it ended at once, the reader says why
            write_frame(cast("BinaryIO", process.stdin), self._start_header(threads))
        return process

    def _start_header(self, threads: int) -> dict[str, Any]:
        spec = self.spec

        def path(value: Path | None) -> str | None:
            return None if value is None else str(value.resolve())

        return {
            "package_dir": path(spec.package_dir),
            "weights": path(spec.weights),
            "weights_dir": path(spec.weights_dir),
            "models_dir": path(spec.models_dir),
            "embedder": spec.embedder,
            "embedder_dir": path(spec.resolved_embedder_dir),
            "parameters": json.loads(spec.parameters),
            "device": spec.device,
            "memory_limit_mb": spec.memory_limit_mb,
            "threads": threads,
            "model_overrides": json.loads(spec.model_overrides),
            "uses_ultralytics": _mentions(spec.package_dir, b"ultralytics"),
        }

    def _listen(self, stderr: IO[bytes]) -> None:
        for line in iter(lambda: stderr.readline(2000), b""):
            self._words.append(line.decode("utf-8", "replace"))

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        """Kill the process when it takes too long or too much memory."""
        limit = self.spec.memory_limit_mb * 2**20
        while not self._ended.wait(WATCH_S) and process.poll() is None:
            starting = not self._ready.done()
            if (starting or self._pending) and time.monotonic() > self._deadline:
                seconds = self.spec.start_timeout_s if starting else self.spec.batch_timeout_s
                what = "to start" if starting else "for one batch"
                self._kill(
                    HostTimeout(
                        f"The host took more than {seconds:g} s {what} and was stopped.",
                        last_words=self.last_words,
                    )
                )
            elif limit and _resident(process.pid) > limit:
                self._kill(self._out_of_memory())

    def _out_of_memory(self) -> HostOutOfMemory:
        return HostOutOfMemory(
            f"The host needed more than its {self.spec.memory_limit_mb} MB of memory and was stopped.",
            last_words=self.last_words,
        )

    def _read(self, stdout: BinaryIO) -> str | None:
        """Take answers until the pipe ends; give what is wrong if it ended by a broken frame."""
        while True:
            try:
                frame = read_frame(stdout)
            except BrokenFrame as error:
                return str(error)
            if frame is None:
                return None
            self._take(frame)

    def _take(self, frame: Frame) -> None:
        header = frame.header
        if header["op"] == "ready":
            info = header["info"]
            names = {int(index): str(name) for index, name in info["class_names"].items()}
            self.models.update(str(name) for name in info.get("models", []))
            self._ready.set_result(
                HostInfo(
                    info["device"], names, info["embedder"], info["libraries"], tuple(sorted(self.models))
                )
            )
            return
        if header["op"] == "failed":
            self._reason = self._package_error(header)
            return
        with self._lock:
            pending = self._pending.pop(int(header["id"]))
            self._deadline = time.monotonic() + self.spec.batch_timeout_s
        try:
            self.models.update(str(name) for name in header.get("models", []))
            if header["op"] == "error":
                pending.future.set_exception(self._package_error(header))
            else:
                pending.future.set_result(pending.decode(frame))
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            pending.future.set_exception(PackageError(f"The host's answer cannot be read: {error}"))

    def _package_error(self, header: dict[str, Any]) -> HostError:
        if header["kind"] == "memory":
            return HostOutOfMemory(
                f"The package ran out of its {self.spec.memory_limit_mb} MB of memory: {header['message']}",
                last_words=header["trace"],
            )
        return PackageError(
            f"The package raised {header['error']}: {header['message']}", last_words=header["trace"]
        )

    def _why(self, code: int, broken: str | None) -> HostError:
        if broken is not None:
            return HostCrashed(f"The host spoke out of turn: {broken}.", last_words=self.last_words)
        how = f"by signal {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        return HostCrashed(f"The host ended {how}.", last_words=self.last_words)

    def _kill(self, reason: HostError) -> None:
        if self._reason is None:
            self._reason = reason
        if self._process is not None:
            self._kill_group(self._process)

    @staticmethod
    def _kill_group(process: subprocess.Popen[bytes]) -> None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            if process.poll() is None:
                process.kill()

    def _end(self, reason: HostError) -> None:
        """Clear up, and fail all that waits."""
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)
        with self._lock:
            self._reason = reason
            self._ended.set()
            waiting, self._pending = list(self._pending.values()), {}
        if not self._ready.done():
            self._ready.set_exception(reason)
        for pending in waiting:
            with contextlib.suppress(InvalidStateError):  # nobody waits for it any more
                pending.future.set_exception(reason)
        if self._process is not None:
            for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
                if stream is not None:
                    with contextlib.suppress(OSError):
                        stream.close()


def _mentions(folder: Path, word: bytes) -> bool:
    """Whether any of a package's sources has this word."""
    return any(word in path.read_bytes() for path in folder.rglob("*.py") if path.is_file())


def sweep(work_dir: Path) -> None:
    """Remove folders of hosts whose worker was killed before it could."""
    for folder in work_dir.glob("host-*-*-*"):
        owner = folder.name.split("-")[2]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def _resident(pid: int) -> int:
    """Give the resident memory of a process in bytes; 0 where it is gone."""
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0
