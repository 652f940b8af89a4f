"""Runs a whole installation as one group: services, migrations, web, workers, beat; ends it as one.

Supervisor(8000, announce=print, on_ready=load_demo).run()
"""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from django.conf import settings

from mixcv.kernel.services import leftovers
from mixcv.kernel.services.children import WORKER_STAGE, Child, ending, rotate, spawn, stop_all
from mixcv.kernel.services.embedded import Services
from mixcv.kernel.services.errors import PortTaken, ServiceFailed
from mixcv.kernel.services.migrations import migrate_if_needed
from mixcv.kernel.services.processes import PROCESSES, Process
from mixcv.kernel.services.signals import Interrupted, StopRequest

Announce = Callable[[str], None]
READY_SECONDS = 90.0
STOP_SECONDS = 10.0
STEADY_SECONDS = 60.0
LONGEST_PAUSE = 30.0
CRASHES_BEFORE_READY = 3


def check_port(host: str, port: int) -> None:
    """Raises PortTaken where another program listens."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            return
        except PermissionError:
            reason = f"Port {port} needs root rights. Choose one from 1024 on"
        except OSError:
            reason = f"Port {port} is in use by another program. Stop it, or choose another port"
    other = port + 1 if 1024 <= port < 65535 else 8000
    raise PortTaken(f"{reason}: `--port {other}`, or the environment variable PORT.")


class Part:
    """One process of the table: running, or waiting for its next start after a crash."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.child: Child | None = None
        self.crashes = 0
        self.next_start = 0.0

    def plan_restart(self) -> float:
        """Seconds until the next start: 1, 2, 4 … 30, and 1 again after it had run steadily."""
        assert self.child is not None
        if time.monotonic() - self.child.started > STEADY_SECONDS:
            self.crashes = 0
        pause = min(LONGEST_PAUSE, 2.0**self.crashes)
        self.crashes += 1
        self.next_start = time.monotonic() + pause
        self.child = None
        return pause


class Supervisor:
    """Starts all, keeps all running until SIGINT or SIGTERM, and leaves no process behind.

    `announce` gets one line per step. `first_start` runs when the database is migrated and before the web
    server starts; `on_ready` when /healthz answers 200, while supervision goes on in a thread.
    """

    def __init__(
        self,
        port: int,
        *,
        announce: Announce,
        on_ready: Callable[[], None] | None = None,
        first_start: Callable[[], None] | None = None,
        host: str | None = None,
        home: Path | None = None,
        processes: Sequence[Process] = PROCESSES,
        command: str = "up",
    ) -> None:
        self.port = port
        self.host = host or os.environ.get("MIXCV_HOST", "127.0.0.1")
        self.home = home or settings.MIXCV_HOME
        self._announce = announce
        self.on_ready = on_ready
        self.first_start = first_start
        self.command = command
        self.services = Services(self.home)
        self.parts = [Part(process) for process in processes]
        self.stop_request = StopRequest()
        self.ready = False

    def announce(self, line: str) -> None:
        # The terminal may be gone; that is no reason to leave processes behind.
        with contextlib.suppress(OSError):
            self._announce(line)

    @property
    def address(self) -> str:
        shown = "127.0.0.1" if self.host in {"0.0.0.0", "::", ""} else self.host
        return f"http://{f'[{shown}]' if ':' in shown else shown}:{self.port}/"

    def run(self) -> int:
        """Serves until told to stop; 0 after a clean end. Raises ServiceFailed where a part does not."""
        with self.stop_request.installed():
            try:
                self._start()
                self._serve()
            except Interrupted:
                pass
            finally:
                self._stop()
        return 0

    # ---- starting

    def _start(self) -> None:
        self._take_home()
        if self.services.lock.held:
            # A killed owner's web server may still listen on the very port that is wanted.
            self.services.end_leftovers()
        check_port(self.host, self.port)
        self.services.start(announce=self.announce)
        with self.stop_request.interruptible():
            began = time.monotonic()
            applied = migrate_if_needed()
            self.announce(f"database is up to date ({applied} migrations, {time.monotonic() - began:.1f} s)")
            if self.first_start is not None:
                self.first_start()
        for part in self.parts:
            rotate(self._log(part))
            self._spawn(part)
        self._wait_until_healthy()
        self.ready = True
        self.announce(f"mixcv serves at {self.address}")
        if self.on_ready is not None:
            with self._looked_after(), self.stop_request.interruptible():
                self.on_ready()

    def _take_home(self) -> None:
        """The folder's lock; a short command that holds it is waited for, another `up` is not."""
        deadline = time.monotonic() + 30
        told = False
        while not self.services.acquire(command=self.command, port=self.port):
            owner = self.services.lock.owner()
            if (owner and "port" in owner) or time.monotonic() > deadline:
                # start() says whose it is.
                break
            if owner and not told:
                self.announce(f"waiting for `{owner.get('command')}` (process {owner.get('pid')}) to end")
                told = True
            self.stop_request.raise_if_wanted()
            time.sleep(0.1)

    def _log(self, part: Part) -> Path:
        return self.home / "logs" / f"{part.process.name}.log"

    def _spawn(self, part: Part) -> None:
        argv = part.process.local_command(host=self.host, port=self.port, home=self.home)
        env = {
            **os.environ,
            "MIXCV_HOME": str(self.home),
            "PORT": str(self.port),
            "DJANGO_SETTINGS_MODULE": "mixcv.settings",
            "PYTHONUNBUFFERED": "1",
        }
        part.child = spawn(part.process.name, argv, log=self._log(part), env=env, cwd=settings.BASE_DIR)
        self.services.guardian.watch(part.child, WORKER_STAGE)
        running = [other.child.pid for other in self.parts if other.child is not None]
        leftovers.record_groups(self.services.groups_file, [*running, self.services.guardian.pid])

    def health(self) -> tuple[int, str]:
        """Status and body of /healthz; 0 where nobody answers."""
        target = "127.0.0.1" if self.host in {"0.0.0.0", "::", ""} else self.host
        connection = http.client.HTTPConnection(target, self.port, timeout=5)
        try:
            connection.request("GET", "/healthz", headers={"Host": "localhost"})
            response = connection.getresponse()
            return response.status, response.read(2000).decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            return 0, str(error)
        finally:
            connection.close()

    def _wait_until_healthy(self) -> None:
        began = time.monotonic()
        status, body = self.health()
        while status != 200:
            self.stop_request.raise_if_wanted()
            self._look_after()
            if time.monotonic() - began > READY_SECONDS:
                raise ServiceFailed(
                    f"/healthz does not answer 200 but {status}: {body}. Logs are in {self.home / 'logs'}."
                )
            time.sleep(0.1)
            status, body = self.health()
        names = ", ".join(part.process.name for part in self.parts)
        self.announce(f"{names} are ready ({time.monotonic() - began:.1f} s)")

    # ---- serving

    def _serve(self) -> None:
        while not self.stop_request.wanted:
            self._look_after()
            time.sleep(0.2)

    @contextlib.contextmanager
    def _looked_after(self) -> Iterator[None]:
        """Supervises from a thread for as long as the block keeps this one busy."""
        done = threading.Event()

        def watch() -> None:
            while not done.wait(0.2):
                try:
                    self._look_after()
                except ServiceFailed as error:
                    # Not the block's failure; _serve() meets it again if it lasts.
                    self.announce(error.message)
                    return

        thread = threading.Thread(target=watch, name="supervision", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _look_after(self) -> None:
        """Starts again what has died, with a word about it."""
        for name in self.services.revive():
            self.announce(f"{name} had died and was started again (log: {self.home / 'logs' / name}.log)")
        for part in self.parts:
            if part.child is None:
                if time.monotonic() >= part.next_start:
                    self._spawn(part)
            elif (code := part.child.exit_code()) is not None:
                self._bury(part, code)

    def _bury(self, part: Part, code: int) -> None:
        assert part.child is not None
        self.services.guardian.forget(part.child)
        part.child.kill_group()
        name, log = part.process.name, self._log(part)
        if not self.ready and part.crashes + 1 >= CRASHES_BEFORE_READY:
            raise ServiceFailed(f"{name} does not start (exit code {code}). {ending(log)}")
        pause = part.plan_restart()
        self.announce(f"{name} ended with code {code}; it starts again in {pause:.0f} s. {ending(log)}")

    # ---- stopping

    def _stop(self) -> None:
        running = [part.child for part in self.parts if part.child is not None]
        # A signal that came while starting was the first; from here on one more means: at once.
        self.stop_request.count = max(1, self.stop_request.count)
        if running:
            self.announce("stopping …")
            killed = stop_all(running, grace=STOP_SECONDS, hurry=lambda: self.stop_request.hurry)
            for child in running:
                self.services.guardian.forget(child)
            if killed:
                self.announce(f"killed: {', '.join(killed)}")
        if self.services.lock.held:
            # Recorded groups are gone; the next start has nothing to look for.
            self.services.groups_file.unlink(missing_ok=True)
            self.services.stop(wait_for_borrowers=0 if self.stop_request.hurry else 3)
        if running:
            self.announce("stopped")
