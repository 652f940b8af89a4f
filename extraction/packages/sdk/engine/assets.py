"""Files that a package reads: its own, an image's, or one from the web."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from . import runtime
from .models.assets import download

TIMEOUT_S = 30.0


class AssetUnreachable(OSError):
    """The file is not here, or its address cannot be read from a host; the message says which and why."""


def download_asset(address: str | os.PathLike[str]) -> str:
    """Give the path of a file on this server: a path as it is, one of the package's own files, or a fetched address.

    Relative names are looked for in the package's folder. http(s) addresses are fetched once a host. Raises
    AssetUnreachable.
    """
    text = os.fspath(address)
    scheme = urlsplit(text).scheme.lower()
    if scheme in {"http", "https"}:
        return str(_fetched(text))
    if scheme not in {"", "file"}:
        raise AssetUnreachable(
            f"A host reads no {scheme}:// addresses: it has no credentials. Images come as paths in the column data."
        )
    path = Path(urlsplit(text).path if scheme == "file" else text)
    path = path if path.is_absolute() else runtime.current().package_dir / path
    if not path.is_file():
        raise AssetUnreachable(
            f"There is no file {text}. The package's own files are named from its top, as models/head.onnx."
        )
    return str(path)


def open_asset(address: str | os.PathLike[str], mode: str = "rb") -> IO[Any]:
    """Open a file for reading; see `download_asset` for what it may be. Raises AssetUnreachable."""
    if set(mode) - set("rbt"):
        raise ValueError(f"Assets are opened for reading, as rb or r, not as {mode!r}.")
    return open(download_asset(address), mode, encoding=None if "b" in mode else "utf-8")


def _fetched(address: str) -> Path:
    name = Path(urlsplit(address).path).name or "asset"
    folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "assets"
    path = folder / hashlib.sha256(address.encode()).hexdigest()[:16] / name[-100:]
    if not path.exists():
        try:
            download(address, path, timeout_s=TIMEOUT_S)
        except (OSError, ValueError) as error:
            raise AssetUnreachable(f"{address} cannot be fetched: {error}") from error
    return path
