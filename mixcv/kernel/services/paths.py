"""Where the embedded services keep their sockets."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

# A unix socket's path has 107 usable bytes on Linux and 103 on macOS; PostgreSQL's own name takes 16 of them.
_LONGEST = 80


_PROJECT = Path(__file__).resolve().parents[3]


def home_from_env() -> Path:
    """The data folder, as the settings have it, for code that runs before them."""
    return Path(os.environ.get("MIXCV_HOME", _PROJECT / "var")).resolve()


def runtime_dir(home: Path) -> Path:
    """The folder of sockets and pid files: `home`/run, or a short private one where that path is too long."""
    run = home / "run"
    if len(os.fsencode(str(run))) <= _LONGEST:
        return run
    tag = hashlib.sha256(os.fsencode(str(home))).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"mixcv-{os.getuid()}-{tag}"


def postgres_socket_dir(home: Path) -> Path:
    return runtime_dir(home)


def valkey_socket(home: Path) -> Path:
    return runtime_dir(home) / "valkey.sock"
