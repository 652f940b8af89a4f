"""The processes of an installation besides database and broker: one table for `up`, compose and the tests.

Commands are written as a shell would find them in an activated environment. `{host}`, `{port}` and `{home}`
stand for what differs between a laptop and a container.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """A long-running command and how long it may take to stop."""

    name: str
    argv: tuple[str, ...]

    def command(self, *, host: str, port: int, home: Path) -> list[str]:
        """The command with its places filled in."""
        return [part.format(host=host, port=port, home=home) for part in self.argv]

    def local_command(self, *, host: str, port: int, home: Path) -> list[str]:
        """The same, run by this very Python: nothing needs to be on the PATH."""
        program, *rest = self.command(host=host, port=port, home=home)
        return [sys.executable, "-m", program, *rest]


def _worker(name: str, queues: str, threads: int) -> Process:
    # Threads share what is expensive to start: the extraction hosts, the connections. Gossip and mingle would
    # only delay the start: no worker here needs to know of another.
    pool = ("--pool", "threads", "--concurrency", str(threads))
    quiet = ("--without-gossip", "--without-mingle", "--loglevel", "INFO")
    argv = ("celery", "-A", "mixcv", "worker", "-Q", queues, "-n", f"{name}@%h", *pool, *quiet)
    return Process(f"worker-{name}", argv)


PROCESSES = (
    Process(
        "web",
        (
            *("granian", "--interface", "wsgi", "--host", "{host}", "--port", "{port}", "--no-ws"),
            *("--workers", "1", "--blocking-threads", "8", "--respawn-failed-workers"),
            *("--log-level", "warning", "mixcv.wsgi:application"),
        ),
    ),
    _worker("gpu", "gpu,train", 2),
    _worker("cpu", "cpu", 2),
    _worker("io", "io", 4),
    Process(
        "beat",
        (
            "celery",
            "-A",
            "mixcv",
            "beat",
            "--schedule",
            "{home}/beat-schedule",
            "--pidfile=",
            "--loglevel",
            "WARNING",
        ),
    ),
)
