"""Reads the environment for `settings`, without Django."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from mixcv.kernel.services.paths import postgres_socket_dir, valkey_socket


class Misconfigured(SystemExit):
    """A setting in the environment makes no sense; the process stops with one line that says which."""


def env_bool(name: str, default: bool) -> bool:
    raw = os.environ.get(name, "").strip().lower()
    if not raw:
        return default
    if raw in {"1", "true", "yes", "on"}:
        return True
    if raw in {"0", "false", "no", "off"}:
        return False
    raise Misconfigured(f"{name}={raw!r} is neither true nor false. Set it to 1 or 0.")


def env_int(name: str, default: int) -> int:
    raw = os.environ.get(name, "").strip()
    if not raw:
        return default
    try:
        return int(raw)
    except ValueError:
        raise Misconfigured(f"{name}={raw!r} is not a whole number.") from None


def env_list(name: str, default: list[str]) -> list[str]:
    raw = os.environ.get(name, "")
    return [part.strip() for part in raw.split(",") if part.strip()] or default


def device_from_env() -> str:
    """`MIXCV_DEVICE`: auto, cpu, mps, cuda or cuda:0 and so on."""
    raw = os.environ.get("MIXCV_DEVICE", "").strip() or "auto"
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d{1,2})?", raw):
        raise Misconfigured(f"MIXCV_DEVICE={raw!r}: it must be auto, cpu, mps, cuda or cuda:0 and so on.")
    return raw


def secret_key(home: Path) -> str:
    """The key from `MIXCV_SECRET_KEY`, else the one kept in `home`, made at the first start (mode 0600)."""
    if given := os.environ.get("MIXCV_SECRET_KEY"):
        return given
    path = home / "secret_key"
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        pass
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Written whole beside it and linked into place: two processes that start together end up with one key.
    mine = home / f".secret_key.{os.getpid()}"
    descriptor = os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(48))
    try:
        os.link(mine, path)
    except FileExistsError:
        pass
    finally:
        mine.unlink()
    return path.read_text().strip()


def database_from_env(home: Path) -> dict[str, Any]:
    """Django's database entry: `DATABASE_URL` (postgresql://user:password@host:port/name?option=…), else embedded."""
    common: dict[str, Any] = {
        "ENGINE": "django.db.backends.postgresql",
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"pool": {"min_size": 0, "max_size": 16, "timeout": 20, "max_idle": 60}},
    }
    url = os.environ.get("DATABASE_URL")
    if not url:
        # The cluster trusts its socket folder, which only its owner may enter.
        return {
            **common,
            "NAME": "mixcv",
            "USER": "mixcv",
            "HOST": str(postgres_socket_dir(home)),
            "PORT": "",
        }
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"} or not parts.path.strip("/"):
        raise Misconfigured("DATABASE_URL must look like postgresql://user:password@host:5432/name.")
    query = dict(parse_qsl(parts.query))
    return {
        **common,
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.pop("host", parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "OPTIONS": {**common["OPTIONS"], **query},
    }


def redis_urls(home: Path) -> tuple[str, str]:
    """The address for redis-py and the same for Celery, which spells unix sockets in its own way."""
    if url := os.environ.get("REDIS_URL"):
        return url, url.replace("unix://", "redis+socket://", 1)
    socket = quote(str(valkey_socket(home)))
    return f"unix://{socket}?db=0", f"redis+socket://{socket}?virtual_host=0"
