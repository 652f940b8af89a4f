"""The very commands of docker-compose.yml against servers reached over TCP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from mixcv.kernel.services.children import Child, spawn, stop_all
from tests.deploy.servers import free_port, servers_over_tcp
from tests.processes import PROJECT, wait_until

STARTED = ("web", "worker-cpu", "beat")


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    with servers_over_tcp(tmp_path) as addresses:
        home = tmp_path / "data"
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        yield {
            **os.environ,
            **addresses,
            "MIXCV_HOME": str(home),
            "MIXCV_SECRET_KEY": "x" * 50,
            "PATH": programs,
        }


def start(environment: dict[str, str], port: int, log: Path) -> list[Child]:
    """Starts the services' commands as the compose file has them, with this machine's port and folder."""
    services = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())["services"]
    places = {
        "8000": str(port),
        "0.0.0.0": "127.0.0.1",
        "/data/beat-schedule": f"{environment['MIXCV_HOME']}/beat",
    }
    return [
        spawn(
            name,
            [places.get(word, word) for word in services[name]["command"]],
            log=log / f"{name}.log",
            env=environment,
            cwd=PROJECT,
        )
        for name in STARTED
    ]


def healthz(port: int) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def prepare(environment: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", "prepare"],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_composed_commands_serve_over_tcp(environment: dict[str, str], tmp_path: Path) -> None:
    assert "log in as" in prepare(environment)
    assert "log in as" not in prepare(environment), "the login is shown once"
    port = free_port()
    children = start(environment, port, tmp_path / "logs")
    try:
        wait_until(lambda: healthz(port)[0] == 200, seconds=60, what="/healthz to answer 200")
        assert json.loads(healthz(port)[1])
        assert [child.name for child in children if child.exit_code() is not None] == []
        # What costs memory stays in the extraction hosts.
        for child in children:
            for process in [psutil.Process(child.pid), *psutil.Process(child.pid).children(recursive=True)]:
                assert not any("libtorch" in region.path for region in process.memory_maps()), child.name
        worker = next(child for child in children if child.name == "worker-cpu")
        worker.kill_group()
        wait_until(lambda: healthz(port)[0] == 503, seconds=30, what="/healthz to miss the worker")
    finally:
        killed = stop_all(children, grace=15)
    assert killed == []
