"""Dockerfile and docker-compose.yml, as far as they can be checked without a Docker engine."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from mixcv.kernel.services.processes import PROCESSES, Process
from tests.processes import PROJECT

COMPOSE = PROJECT / "docker-compose.yml"
PROGRAMS = Path(sys.executable).parent


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return loaded


def run(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, cwd=PROJECT, capture_output=True, text=True, check=False)


def test_compose_file_keeps_the_schema() -> None:
    done = run(
        str(PROGRAMS / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_dockerfile_passes_its_linter() -> None:
    done = run(str(PROGRAMS / "hadolint"), "Dockerfile")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("process", PROCESSES, ids=lambda process: process.name)
def test_compose_runs_the_commands_of_up(compose: dict[str, Any], process: Process) -> None:
    expected = process.command(host="0.0.0.0", port=8000, home=Path("/data"))
    assert compose["services"][process.name]["command"] == expected


def test_compose_has_every_part_and_no_other(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {
        *(process.name for process in PROCESSES),
        "prepare",
        "postgres",
        "redis",
    }


def test_every_process_waits_for_the_migrated_database(compose: dict[str, Any]) -> None:
    for process in PROCESSES:
        condition = compose["services"][process.name]["depends_on"]["prepare"]["condition"]
        assert condition == "service_completed_successfully", process.name


def test_secrets_are_required_and_have_no_default() -> None:
    text = COMPOSE.read_text()
    for name in ("POSTGRES_PASSWORD", "REDIS_PASSWORD", "MIXCV_SECRET_KEY"):
        uses = re.findall(r"\$\{" + name + r"([^}]*)\}", text)
        assert uses, name
        assert all(use.startswith(":?") for use in uses), name


def test_only_the_web_server_has_a_port_and_only_on_loopback(compose: dict[str, Any]) -> None:
    ports = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert ports == {"web": ["127.0.0.1:${PORT:-8000}:8000"]}


def test_image_does_not_run_as_root() -> None:
    users = re.findall(r"^USER (.+)$", (PROJECT / "Dockerfile").read_text(), re.MULTILINE)
    assert users
    assert users[-1] not in {"root", "0"}
