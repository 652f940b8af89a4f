"""Finds and ends processes that an earlier owner of a data folder left behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

_SERVERS = ("postgres", "valkey", "redis")


def _is_zombie(process: psutil.Process) -> bool:
    return bool(process.status() == psutil.STATUS_ZOMBIE)


def servers_in(folder: Path) -> list[psutil.Process]:
    """PostgreSQL or Valkey processes that run in `folder`: both change into their data folder."""
    found = []
    wanted = str(folder)
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.name().startswith(_SERVERS) and process.cwd() == wanted and not _is_zombie(process):
                found.append(process)
    return found


def is_live_process(pid: int) -> bool:
    """Whether `pid` runs; a zombie, which answers to signal 0 all the same, does not."""
    try:
        return not _is_zombie(psutil.Process(pid))
    except psutil.Error:
        return False


def end_servers(folder: Path, *, grace: float = 10.0) -> int:
    """Ends every server that runs in `folder`, children too; how many there were."""
    processes = servers_in(folder)
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(signal.SIGINT if process.name().startswith("postgres") else signal.SIGTERM)
    _, alive = psutil.wait_procs(processes, timeout=grace)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, timeout=5)
    return len(processes)


def record_groups(path: Path, pids: Iterable[int]) -> None:
    """Writes which process groups run now, with their start times, for the next owner."""
    rows = []
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            rows.append([pid, psutil.Process(pid).create_time()])
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(rows))
    fresh.replace(path)


def end_recorded_groups(path: Path, *, grace: float = 5.0) -> int:
    """Ends the recorded groups whose leader is still the same process; how many there were."""
    try:
        rows = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return 0
    groups = []
    for pid, created in rows:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            # A pid is used again some day; the start time tells.
            if abs(process.create_time() - created) < 1 and not _is_zombie(process):
                groups.append(pid)
    for number, wait in ((signal.SIGTERM, grace), (signal.SIGKILL, 1.0)):
        for group in groups:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, number)
        deadline = time.monotonic() + wait
        while time.monotonic() < deadline and any(is_live_process(group) for group in groups):
            time.sleep(0.05)
    path.unlink(missing_ok=True)
    return len(groups)
