"""PostgreSQL and Valkey as somebody else's servers: over TCP on loopback, with passwords."""

from __future__ import annotations

import contextlib
import secrets
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import redis

from mixcv.kernel.services.children import Child, spawn, stop_all
from mixcv.kernel.services.postgres import binaries, unprivileged
from mixcv.kernel.services.valkey import binary
from tests.processes import wait_until


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _postgres(folder: Path) -> tuple[Child, str]:
    port, password = free_port(), secrets.token_hex(8)
    (folder / "password").write_text(password)
    argv = [*unprivileged(), str(binaries() / "initdb"), "-D", str(folder / "pg"), "-U", "mixcv", "--no-sync"]
    argv += ["--auth=scram-sha-256", f"--pwfile={folder / 'password'}", "--encoding=UTF8", "--locale=C"]
    subprocess.run(argv, check=True, capture_output=True)
    argv = [*unprivileged(), str(binaries() / "postgres"), "-D", str(folder / "pg"), "-p", str(port)]
    argv += ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"]
    child = spawn("postgres", argv, log=folder / "postgres.log", stop_signal=signal.SIGINT)
    base = f"postgresql://mixcv:{password}@127.0.0.1:{port}"

    def answers() -> bool:
        try:
            with psycopg.connect(f"{base}/postgres", autocommit=True) as connection:
                connection.execute("CREATE DATABASE mixcv")
        except psycopg.OperationalError:
            return False
        return True

    wait_until(answers, what="PostgreSQL over TCP")
    return child, f"{base}/mixcv"


def _valkey(folder: Path) -> tuple[Child, str]:
    port, password = free_port(), secrets.token_hex(8)
    argv = [binary(), "--port", str(port), "--bind", "127.0.0.1", "--requirepass", password, "--save", ""]
    child = spawn("valkey", [*argv, "--dir", str(folder)], log=folder / "valkey.log")
    url = f"redis://:{password}@127.0.0.1:{port}/0"

    def answers() -> bool:
        try:
            return bool(redis.Redis.from_url(url).ping())
        except redis.RedisError:
            return False

    wait_until(answers, what="Valkey over TCP")
    return child, url


@contextlib.contextmanager
def servers_over_tcp(folder: Path) -> Iterator[dict[str, str]]:
    """The environment that names both servers, which end with the block."""
    children = []
    try:
        postgres, database_url = _postgres(folder)
        children.append(postgres)
        valkey, redis_url = _valkey(folder)
        children.append(valkey)
        yield {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    finally:
        stop_all(children, grace=10)
