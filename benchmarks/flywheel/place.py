"""An installation of one's own: a child process that serves on loopback, ended with the block."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mixcv.client import Client

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS, STOP_SECONDS = 180, 40
_OURS = ("DATABASE_URL", "REDIS_URL", "MIXCV_STORAGE", "MIXCV_DEBUG", "PORT", "DJANGO_SETTINGS_MODULE")


class NoInstallation(Exception):
    """It did not start; the message has its last words."""


@dataclass(frozen=True)
class Installation:
    home: Path
    url: str

    def client(
        self, *, namespace: str, weights: Path, extractor: str, parameters: dict[str, object]
    ) -> Client:
        """A key for a new namespace in which version 1.0.0 of the extractor stands ready to be deployed."""
        asked = {
            "namespace": namespace,
            "weights": str(weights),
            "extractor": extractor,
            "parameters": parameters,
        }
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.flywheel.prepare", json.dumps(asked)],
            cwd=ROOT,
            env=_environment(self.home),
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
        )
        if done.returncode:
            raise NoInstallation(f"The extractor could not be registered: {done.stderr[-2000:]}")
        key = done.stdout.split()[-1]
        return Client(api_key=key, base_url=self.url, namespace=namespace, timeout=120)


def _environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _OURS}
    # Thousands of calls a minute are what this is for; nothing else is served.
    return {**kept, "MIXCV_HOME": str(home), "MIXCV_HOST": "127.0.0.1", "MIXCV_RATE_LIMIT": "0"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def installation(folder: Path) -> Iterator[Installation]:
    """Serves until the block ends, however it does. Raises NoInstallation where it does not come up."""
    home, port, log = folder / "home", _free_port(), folder / "up.log"
    with log.open("wb") as output:
        # In a group of its own: Ctrl-C reaches it through us, once, and it ends its children itself.
        process = subprocess.Popen(
            [sys.executable, "manage.py", "up", "--port", str(port)],
            cwd=ROOT,
            env=_environment(home),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        _wait(process, log)
        yield Installation(home, f"http://127.0.0.1:{port}")
    finally:
        _stop(process)


def _wait(process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while "serves at" not in (text := log.read_text(errors="replace")):
        if process.poll() is not None or time.monotonic() > until:
            raise NoInstallation(f"The installation did not start: {text[-2000:]}")
        time.sleep(0.2)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()  # its guardian ends what it leaves
            process.wait()


@contextlib.contextmanager
def ended_like_ctrl_c() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does, so that nothing stays behind."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
