"""The store of bytes behind blobs: files named by their content, written once, never changed.

Over Django's default storage. On a file system a file appears under its name only when it is whole.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import IO

from django.conf import settings
from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage, default_storage, storages

from mixcv.kernel.errors import DomainError


class BlobMissing(DomainError):
    """The store has no bytes under this name, though a row says so."""

    code = "blob_missing"
    status = 404


def exists(name: str) -> bool:
    return default_storage.exists(name)


def write(name: str, data: bytes) -> None:
    """Keep `data` under `name`. Names are hashes of their content: what is there already is the same."""
    if exists(name):
        return
    if isinstance(storages["default"], FileSystemStorage):
        write_file(Path(default_storage.path(name)), data)
    else:
        default_storage.save(name, ContentFile(data))


def adopt(name: str, path: Path) -> None:
    """Keep the file at `path` under `name`, by moving it where the store lies on the same file system."""
    if exists(name):
        return
    if isinstance(storages["default"], FileSystemStorage):
        target = Path(default_storage.path(name))
        target.parent.mkdir(parents=True, exist_ok=True)
        os.chmod(path, 0o640)
        try:
            os.replace(path, target)
            return
        except OSError:  # another file system
            part = target.with_name(f".new-{os.getpid()}-{path.name}")
            shutil.copyfile(path, part)
            os.replace(part, target)
            return
    with path.open("rb") as file:
        default_storage.save(name, File(file))


def read(name: str) -> bytes:
    """All bytes under `name`. Raises BlobMissing."""
    with open_blob(name) as file:
        return file.read()


def open_blob(name: str) -> IO[bytes]:
    """The bytes under `name` as a file. Raises BlobMissing."""
    try:
        return default_storage.open(name, "rb")
    except FileNotFoundError:
        raise BlobMissing(f"The file {name} is not in the store any more.") from None


def local_path(name: str) -> Path:
    """A file that other processes can read; fetched into the cache where the store is no file system.

    Raises BlobMissing.
    """
    try:
        path = Path(default_storage.path(name))
    except NotImplementedError:
        path = Path(settings.MIXCV_CACHE) / "blobs" / name
        if not path.exists():
            write_file(path, read(name))
        return path
    if not path.exists():
        raise BlobMissing(f"The file {name} is not in the store any more.")
    return path


def write_file(path: Path, data: bytes) -> None:
    """Write `data` so that `path` is either absent or whole, whoever else writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        # mkstemp's files are for their owner alone; hosts may run as another user of the group.
        os.chmod(temporary, 0o640)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
