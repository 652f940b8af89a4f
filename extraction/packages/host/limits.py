"""Limits that the host lays on itself before a package's code runs."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

MAX_FILE_BYTES = 4 * 2**30
MAX_FILES = 1024
AS_MARGIN = 2 * 2**30
_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """On Linux, be killed when the worker's thread that started this process ends."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def limit_files() -> None:
    """No core dumps, no huge files, not too many open ones."""
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for which, wanted in ((resource.RLIMIT_FSIZE, MAX_FILE_BYTES), (resource.RLIMIT_NOFILE, MAX_FILES)):
        hard = resource.getrlimit(which)[1]
        value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(which, (value, value))


def limit_memory(megabytes: int) -> None:
    """Cap the address space at what is mapped now, the limit and a margin. Not for use with CUDA.

    CUDA maps far more than it uses, so that there only the worker's watch on resident memory counts.
    """
    if sys.platform != "linux":
        return
    import resource

    with open("/proc/self/statm", encoding="ascii") as statm:
        mapped = int(statm.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    value = mapped + megabytes * 2**20 + AS_MARGIN
    resource.setrlimit(resource.RLIMIT_AS, (value, value))
