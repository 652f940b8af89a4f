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


def end_recorded_groups(path: Path, *, home: Path, grace: float = 5.0) -> int:
    """Ends the recorded groups that are still there; how many there were.

    One is where its leader is the same process as then, or, with the leader dead, where a member has `home` as its
    MIXCV_HOME: a killed server's children go on listening.
    """
    try:
        rows = [(int(pid), float(created)) for pid, created in json.loads(path.read_text())]
    except (FileNotFoundError, ValueError):
        return 0
    groups = _still_there(rows, home)
    for number, wait in ((signal.SIGTERM, grace), (signal.SIGKILL, 1.0)):
        left = _still_there(rows, home)
        for group in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, number)
        deadline = time.monotonic() + wait
        while left and time.monotonic() < deadline:
            time.sleep(0.05)
            left = _still_there(rows, home)
    path.unlink(missing_ok=True)
    return len(groups)


def _still_there(rows: Iterable[tuple[int, float]], home: Path) -> set[int]:
    """The groups of `rows`, each a leader with its start time, that still have a live member."""
    there: set[int] = set()
    orphaned: set[int] = set()
    for pid, created in rows:
        try:
            leader = psutil.Process(pid)
            # A pid is used again some day, by the next container's first processes even at once; the start time tells.
            if abs(leader.create_time() - created) >= 1:
                continue
            (orphaned if _is_zombie(leader) else there).add(pid)
        except psutil.Error:
            orphaned.add(pid)
    orphaned.discard(os.getpgrp())
    if orphaned:
        there |= {group for group in _groups_of(home) if group in orphaned}
    return there


def _groups_of(home: Path) -> set[int]:
    """The process groups that have a live process of this data folder."""
    found: set[int] = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if not _is_zombie(process) and process.environ().get("MIXCV_HOME") == str(home):
                found.add(os.getpgid(process.pid))
    return found
