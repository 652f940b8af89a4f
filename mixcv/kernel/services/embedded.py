"""The services of one data folder: PostgreSQL and Valkey, owned by one process, used by any number.

    with ensure_services(home):
        ...

uses what is there (servers named by `DATABASE_URL` and `REDIS_URL`, or a running `up` of the same folder) and
starts only what is missing, for as long as the block runs.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mixcv.kernel.services import leftovers
from mixcv.kernel.services.children import SERVICE_STAGE, Child, Guardian, rotate, stop_all
from mixcv.kernel.services.errors import HomeTaken, ServiceFailed
from mixcv.kernel.services.lock import OwnerLock
from mixcv.kernel.services.paths import runtime_dir
from mixcv.kernel.services.postgres import Postgres
from mixcv.kernel.services.valkey import Valkey

Announce = Callable[[str], None]
_STOP_SECONDS = 20.0
_PRIVATE = ("logs", "postgres", "valkey")


def _silent(_line: str) -> None:
    return None


def _close(folder: Path, *, make: bool) -> None:
    """Mode 0700 for a folder; one that belongs to another user stays as it is."""
    if make:
        folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_dir() and folder.stat().st_uid == os.geteuid():
        folder.chmod(0o700)


def make_home(home: Path) -> None:
    """Makes the data folder and its private folder of sockets; says so where it may not.

    A folder that it makes is this user's alone. One that was there keeps its mode, but the folders in it that hold
    sessions, passwords' hashes and logs are closed to others all the same.
    """
    run = runtime_dir(home)
    try:
        if not home.exists():
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
        (home / "static").mkdir(exist_ok=True)
        for name in _PRIVATE:
            _close(home / name, make=name == "logs")
        run.mkdir(mode=0o700, exist_ok=True)
        if run.stat().st_uid != os.geteuid():
            raise ServiceFailed(f"{run} belongs to another user. Remove it, or choose a shorter MIXCV_HOME.")
        run.chmod(0o700)
        probe = home / f".writable.{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ServiceFailed(
            f"The data folder {home} cannot be written to ({error.strerror}). "
            "Set MIXCV_HOME to a folder that this user owns."
        ) from None


class Services:
    """Starts and stops the embedded parts. Parts that the environment names servers for are left alone."""

    def __init__(
        self,
        home: Path,
        *,
        postgres: bool | None = None,
        valkey: bool | None = None,
        fsync: bool | None = None,
    ) -> None:
        self.home = home
        with_postgres = not os.environ.get("DATABASE_URL") if postgres is None else postgres
        with_valkey = not os.environ.get("REDIS_URL") if valkey is None else valkey
        durable = os.environ.get("MIXCV_FSYNC", "1") != "0" if fsync is None else fsync
        self.parts: list[Postgres | Valkey] = []
        if with_postgres:
            self.parts.append(Postgres(home, fsync=durable))
        if with_valkey:
            self.parts.append(Valkey(home, fsync=durable))
        self.lock = OwnerLock(home)
        self._children: dict[str, Child] = {}
        self._guardian: Guardian | None = None

    @property
    def guardian(self) -> Guardian:
        assert self._guardian is not None, "the services are not started"
        return self._guardian

    @property
    def groups_file(self) -> Path:
        return runtime_dir(self.home) / "processes.json"

    def running(self) -> bool:
        """Whether every embedded part of this data folder answers, whoever started it."""
        return all(part.answers() for part in self.parts)

    def acquire(self, **owner: Any) -> bool:
        make_home(self.home)
        return self.lock.acquire(**owner)

    def end_leftovers(self) -> None:
        """Ends what an owner that was killed left running. Only for the one who holds the lock."""
        assert self.lock.held, "an owner's processes are its own"
        leftovers.end_recorded_groups(self.groups_file, home=self.home)

    def start(self, *, announce: Announce = _silent, **owner: Any) -> None:
        """Takes the folder's lock and starts the parts; `owner` is what others read about this process.

        Raises HomeTaken where another process holds the lock, ServiceFailed where a part does not start.
        """
        if not self.lock.held and not self.acquire(**owner):
            raise HomeTaken(self.taken_message())
        self.end_leftovers()
        self._guardian = Guardian()
        try:
            for part in self.parts:
                began = time.monotonic()
                rotate(part.log)
                self._start(part)
                announce(f"{part.name} is ready ({time.monotonic() - began:.1f} s)")
        except BaseException:
            self.stop(wait_for_borrowers=0)
            raise

    def _start(self, part: Postgres | Valkey) -> None:
        child = part.start()
        self._children[part.name] = child
        self.guardian.watch(child, SERVICE_STAGE)

    def revive(self) -> list[str]:
        """Starts parts again that have died; their names."""
        dead = [part for part in self.parts if self._children[part.name].exit_code() is not None]
        for part in dead:
            self.guardian.forget(self._children[part.name])
            self._children[part.name].kill_group()
            self._start(part)
        return [part.name for part in dead]

    def stop(self, *, wait_for_borrowers: float | None = None) -> None:
        """Stops the parts and frees the lock. Waits for commands that still use them: None is for ever."""
        if not self.lock.held:
            return
        with self.lock.without_borrowers(wait_for_borrowers):
            stop_all(list(self._children.values()), grace=_STOP_SECONDS)
            if self._guardian is not None:
                for child in self._children.values():
                    self._guardian.forget(child)
                self._guardian.close()
                self._guardian = None
            self._children.clear()
            self.lock.release()

    def taken_message(self) -> str:
        owner = self.lock.owner() or {}
        who = f"process {owner['pid']} ({owner.get('command')})" if "pid" in owner else "another process"
        where = f" at http://127.0.0.1:{owner['port']}/" if owner.get("port") else ""
        return (
            f"The data folder {self.home} is already served by {who}{where}. "
            "Stop that one first, or set MIXCV_HOME to another folder and --port to another port."
        )


@contextlib.contextmanager
def _borrowed(services: Services, timeout: float) -> Iterator[None]:
    """Uses another owner's services; waits until they answer."""
    deadline = time.monotonic() + timeout
    with services.lock.borrow():
        while not services.running():
            if time.monotonic() > deadline:
                raise ServiceFailed(f"{services.taken_message()} Its services do not answer.")
            if services.lock.owner() is None:
                raise HomeTaken("the owner ended")
            time.sleep(0.1)
        yield


@contextlib.contextmanager
def ensure_services(home: Path, *, command: str = "a command", timeout: float = 60.0) -> Iterator[None]:
    """PostgreSQL and Valkey for the block: the environment's servers, a running owner's, or its own."""
    services = Services(home)
    if not services.parts:
        yield
        return
    with contextlib.ExitStack() as stack:
        while not services.acquire(command=command):
            try:
                stack.enter_context(_borrowed(services, timeout))
            except HomeTaken:
                # It stopped just now: take its place, or wait for whoever did.
                continue
            break
        if services.lock.held:
            services.start()
            stack.callback(_stop_politely, services)
        yield


def _stop_politely(services: Services) -> None:
    with services.lock.without_borrowers(2) as alone:
        pass
    if not alone:
        print("Waiting for other commands that use these services …", file=sys.stderr)
    services.stop()
