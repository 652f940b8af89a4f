"""Processes that tests start for real."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import quote

import psutil

PROJECT = Path(__file__).resolve().parent.parent
QUEUES = ("gpu", "train", "cpu", "io")


def wait_until(condition: Callable[[], object], *, seconds: float = 20, what: str = "it") -> None:
    """Polls until `condition` holds; fails with `what` was awaited."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain for {what}"
        time.sleep(0.05)


def processes_of(home: Path) -> list[psutil.Process]:
    """Every other live process with the data folder in its arguments, working folder or environment."""
    found = []
    ours = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    for process in psutil.process_iter():
        try:
            if process.pid in ours or process.status() == psutil.STATUS_ZOMBIE:
                continue
            words = [*process.cmdline(), process.cwd(), process.environ().get("MIXCV_HOME", "")]
        except (psutil.Error, OSError):
            continue
        if any(str(home) in word for word in words):
            found.append(process)
    return found


def kill_all(processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue


def test_database_url(home: Path) -> str:
    """The address of the database that pytest-django made, for a child process."""
    from django.db import connection

    return f"postgresql://mixcv@/{connection.settings_dict['NAME']}?host={quote(str(home / 'run'))}"


test_database_url.__test__ = False  # type: ignore[attr-defined]


class Worker:
    """`celery worker` on all queues and the test database, in a process group of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.log = home / "logs" / "test-worker.log"
        self.popen: subprocess.Popen[bytes] | None = None
        self.environment: dict[str, str] = {}

    @property
    def pid(self) -> int:
        assert self.popen is not None
        return self.popen.pid

    @property
    def alive(self) -> bool:
        return self.popen is not None and self.popen.poll() is None

    def start(self, **environment: str) -> None:
        """Starts it, or again where `environment` differs from before, and waits until it takes work."""
        if self.alive and environment == self.environment:
            return
        self.stop()
        self.environment = environment
        argv = [
            sys.executable,
            "-m",
            "celery",
            "-A",
            "mixcv",
            "worker",
            "-Q",
            ",".join(QUEUES),
            "-n",
            "test@%h",
        ]
        argv += [
            "--pool",
            "threads",
            "--concurrency",
            "4",
            "--without-gossip",
            "--without-mingle",
            "-l",
            "INFO",
        ]
        env = {**os.environ, "DATABASE_URL": test_database_url(self.home), **environment}
        with self.log.open("wb") as output:
            self.popen = subprocess.Popen(
                argv, cwd=PROJECT, env=env, stdout=output, stderr=output, start_new_session=True
            )
        wait_until(self._ready, seconds=60, what=f"the worker to start:\n{self.last_words()}")

    def _ready(self) -> bool:
        assert self.alive, f"the worker ended at its start:\n{self.last_words()}"
        return b" ready." in self.log.read_bytes()

    def last_words(self) -> str:
        return self.log.read_text(errors="replace")[-4000:] if self.log.exists() else ""

    def stop(self) -> None:
        """Ends it and whatever it started; not gently where it takes longer than five seconds."""
        if self.popen is None:
            return
        family = psutil.Process(self.pid).children(recursive=True) if self.alive else []
        if self.alive:
            self.popen.send_signal(signal.SIGTERM)
            try:
                self.popen.wait(5)
            except subprocess.TimeoutExpired:
                self.popen.kill()
        self.popen.wait()
        kill_all(family)
        self.popen = None

    def kill(self) -> None:
        """SIGKILL, as the out-of-memory killer would."""
        assert self.popen is not None
        self.popen.kill()
        self.popen.wait()

    def clear_queues(self) -> None:
        from mixcv.celery import app

        with app.connection_for_write() as connection:
            for queue in (*QUEUES, "unacked", "unacked_index"):
                connection.default_channel.client.delete(queue)

    def settle(self, *, seconds: float = 10) -> None:
        """Drops what waits and lets what runs end, so that the next test finds it idle; else stops it."""
        from mixcv.celery import app

        self.clear_queues()
        deadline = time.monotonic() + seconds
        while self.alive and time.monotonic() < deadline:
            active = app.control.inspect(timeout=2, limit=1).active() or {}
            if active and not any(active.values()):
                return
            time.sleep(0.1)
        self.stop()
