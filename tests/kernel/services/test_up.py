"""`manage.py up` as a person meets it: a real process, real children, real signals."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from mixcv.kernel.services.errors import PortTaken
from mixcv.kernel.services.processes import PROCESSES
from mixcv.kernel.services.supervisor import check_port
from tests.deploy.servers import free_port
from tests.processes import PROJECT, kill_all, processes_of, wait_until


class Up:
    """`manage.py up` on a data folder of its own, its output in a file."""

    def __init__(self, home: Path, port: int | None = None) -> None:
        self.home = home
        self.port = port or free_port()
        self.output = home.parent / f"{home.name}.out"
        with self.output.open("wb") as file:
            self.popen = subprocess.Popen(
                [sys.executable, "manage.py", "up", "--port", str(self.port)],
                cwd=PROJECT,
                env={**os.environ, "MIXCV_HOME": str(home)},
                stdout=file,
                stderr=file,
            )

    def text(self) -> str:
        return self.output.read_text()

    def wait_ready(self) -> None:
        wait_until(
            lambda: "serves at" in self.text() or self.popen.poll() is not None,
            seconds=90,
            what="up to serve",
        )
        assert self.popen.poll() is None, self.text()

    def _ready_or_ended(self) -> bool:
        return "serves at" in self.text() or self.popen.poll() is not None

    def healthz(self) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status
        finally:
            connection.close()


def manage(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=PROJECT,
        env={**os.environ, "MIXCV_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "home"
    kill_all(processes_of(tmp_path))


def child_named(home: Path, word: str) -> psutil.Process:
    return next(process for process in processes_of(home) if word in process.cmdline())


def test_it_serves_until_ctrl_c_and_leaves_nothing(home: Path) -> None:
    up = Up(home)
    up.wait_ready()
    assert up.healthz() == 200
    text = up.text()
    assert text.count("log in as") == 1
    assert f"http://127.0.0.1:{up.port}/" in text
    for process in PROCESSES:
        assert (home / "logs" / f"{process.name}.log").exists()
    up.popen.send_signal(signal.SIGINT)
    assert up.popen.wait(25) == 0
    assert "Traceback" not in up.text()
    assert processes_of(home) == []


@pytest.mark.slow
def test_a_command_beside_it_uses_its_database_and_prints_only_its_own(home: Path) -> None:
    up = Up(home)
    up.wait_ready()
    key = manage(home, "create_api_key", "--namespace", "beside")
    assert re.fullmatch(r"\S+\n", key.stdout), key.stdout + key.stderr
    refused = manage(home, "up", "--port", str(free_port()))
    assert refused.returncode == 1
    assert f"already served by process {up.popen.pid}" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert up.healthz() == 200
    up.popen.terminate()
    assert up.popen.wait(25) == 0
    assert processes_of(home) == []


@pytest.mark.slow
def test_a_command_alone_brings_its_own_database(home: Path) -> None:
    assert manage(home, "migrate", "--verbosity", "0").stdout == ""
    key = manage(home, "create_api_key", "--namespace", "alone")
    assert re.fullmatch(r"\S+\n", key.stdout), key.stdout + key.stderr
    assert processes_of(home) == []


@pytest.mark.slow
def test_what_dies_is_started_again(home: Path) -> None:
    up = Up(home)
    up.wait_ready()
    child_named(home, "io").kill()
    child_named(home, "beat").kill()
    wait_until(lambda: "worker-io ended with code -9" in up.text(), what="the notice")
    wait_until(lambda: "beat ended with code -9" in up.text(), what="the notice")
    wait_until(lambda: any("io" in p.cmdline() for p in processes_of(home)), what="the new worker")
    next(p for p in processes_of(home) if p.name().startswith(("valkey", "redis"))).kill()
    wait_until(lambda: "valkey had died and was started again" in up.text(), what="the notice")
    wait_until(lambda: up.healthz() == 200, seconds=30, what="/healthz after the restart")
    up.popen.send_signal(signal.SIGTERM)
    assert up.popen.wait(25) == 0
    assert processes_of(home) == []


@pytest.mark.slow
def test_killed_itself_it_leaves_nothing_running_and_starts_again(home: Path) -> None:
    up = Up(home)
    up.wait_ready()
    up.popen.kill()
    up.popen.wait()
    wait_until(lambda: not processes_of(home), seconds=40, what="the guardian to end all")
    again = Up(home)
    again.wait_ready()
    assert "log in as" not in again.text()
    again.popen.send_signal(signal.SIGINT)
    assert again.popen.wait(25) == 0


@pytest.mark.slow
def test_all_killed_it_starts_again(home: Path) -> None:
    up = Up(home)
    up.wait_ready()
    kill_all([psutil.Process(up.popen.pid), *processes_of(home)])
    up.popen.wait()
    again = Up(home, up.port)
    again.wait_ready()
    again.popen.send_signal(signal.SIGINT)
    assert again.popen.wait(25) == 0
    assert processes_of(home) == []


@pytest.mark.slow
def test_it_takes_its_port_back_from_what_a_killed_one_left(home: Path) -> None:
    up = Up(home)
    up.wait_ready()
    guardian = next(p for p in processes_of(home) if any("guardian" in word for word in p.cmdline()))
    kill_all([guardian, psutil.Process(up.popen.pid)])
    up.popen.wait()
    assert up.healthz() == 200, "its web server outlives it"
    again = Up(home, up.port)
    again.wait_ready()
    again.popen.send_signal(signal.SIGINT)
    assert again.popen.wait(25) == 0
    assert processes_of(home) == []


@pytest.mark.slow
def test_two_run_side_by_side(tmp_path: Path) -> None:
    first, second = Up(tmp_path / "one"), Up(tmp_path / "two")
    try:
        first.wait_ready()
        second.wait_ready()
        assert (first.healthz(), second.healthz()) == (200, 200)
    finally:
        for up in (first, second):
            up.popen.terminate()
        assert [up.popen.wait(25) for up in (first, second)] == [0, 0]
        kill_all(processes_of(tmp_path))


def test_a_used_port_is_named_at_once(home: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        up = Up(home, port)
        assert up.popen.wait(20) == 1
    assert f"Port {port} is in use by another program" in up.text()
    assert "Traceback" not in up.text()
    assert not (home / "postgres").exists(), "nothing was started for it"


def test_a_port_that_needs_root_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise PermissionError

    monkeypatch.setattr(socket.socket, "bind", refuse, raising=False)
    with pytest.raises(PortTaken, match="Port 80 needs root rights"):
        check_port("127.0.0.1", 80)


@pytest.mark.parametrize("port", ["0", "65536", "web"])
def test_a_port_that_is_none_is_refused(home: Path, port: str) -> None:
    refused = manage(home, "up", "--port", port)
    assert refused.returncode != 0
    assert "from 1 to 65535" in refused.stderr


@pytest.mark.slow
def test_a_database_that_does_not_answer_is_named(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://nobody@/none?host={tmp_path}&connect_timeout=1")
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    refused = manage(home, "up", "--port", str(free_port()))
    assert refused.returncode == 1
    assert "The database named by DATABASE_URL does not answer" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert processes_of(home) == []


def test_a_home_that_is_a_file_is_named(home: Path) -> None:
    home.write_text("")
    refused = manage(home, "up")
    assert refused.returncode == 1
    assert "cannot be written to" in refused.stderr
    assert "Traceback" not in refused.stderr
