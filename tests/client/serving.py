"""The web server as a process of its own, on the tests' database, to be killed and started at will."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import httpx
import psutil

from mixcv.kernel.services.processes import PROCESSES
from tests.deploy.servers import free_port
from tests.processes import PROJECT, kill_all, test_database_url, wait_until

COMMAND = next(process for process in PROCESSES if process.name == "web")


class WebServer:
    """The product's own web command on a port of loopback."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = home / "logs" / "test-web.log"
        self.popen: subprocess.Popen[bytes] | None = None

    @property
    def alive(self) -> bool:
        return self.popen is not None and self.popen.poll() is None

    def start(self, **environment: str) -> None:
        """Starts it and waits until it answers."""
        argv = COMMAND.local_command(host="127.0.0.1", port=self.port, home=self.home)
        env = {
            **os.environ,
            "DATABASE_URL": test_database_url(self.home),
            "PORT": str(self.port),
            **environment,
        }
        with self.log.open("ab") as output:
            self.popen = subprocess.Popen(
                argv, cwd=PROJECT, env=env, stdout=output, stderr=output, start_new_session=True
            )
        wait_until(self.answers, seconds=60, what=f"the web server:\n{self.last_words()}")

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/v1/health", timeout=2).status_code == 200
        except httpx.TransportError:
            assert self.popen is not None
            assert self.popen.poll() is None, self.last_words()
            return False

    def last_words(self) -> str:
        return self.log.read_text(errors="replace")[-4000:] if self.log.exists() else ""

    def kill(self) -> None:
        """SIGKILL, itself and its workers, as the out-of-memory killer would."""
        assert self.popen is not None
        family = [psutil.Process(self.popen.pid), *psutil.Process(self.popen.pid).children(recursive=True)]
        kill_all(family)
        self.popen.wait()
        psutil.wait_procs(family, timeout=5)

    def stop(self) -> None:
        if self.popen is None or not self.alive:
            return
        self.popen.send_signal(signal.SIGTERM)
        try:
            self.popen.wait(5)
        except subprocess.TimeoutExpired:
            self.kill()
