"""Keeping weights and archives by their hash, and having them as files and folders where a host needs them."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile

from extraction.intake.models import Blob
from extraction.packages.archives import PACKAGE, list_zip, top_folder, unpack_zip
from mixcv.kernel import storage
from mixcv.kernel.errors import TooLarge
from mixcv.tenancy.models import Namespace

_PIECE = 1 << 20


def keep_file(*, namespace: Namespace, path: Path, mime: str = "application/octet-stream") -> Blob:
    """A blob with the file's bytes; the row that is there already where the content is."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
            size += len(piece)
    blob = Blob(namespace=namespace, sha256=digest.hexdigest(), size=size, mime_type=mime)
    _store(path, blob.storage_name)
    kept, _ = Blob.objects.get_or_create(
        namespace=namespace, sha256=blob.sha256, defaults={"size": size, "mime_type": mime}
    )
    return kept


def keep_upload(*, namespace: Namespace, file: UploadedFile[Any], most: int, mime: str) -> Blob:
    """A blob with an uploaded file's bytes. Raises TooLarge."""
    if (file.size or 0) > most:
        raise TooLarge(f"{file.name} has {file.size:,} bytes; at most {most:,} are taken.", field="file")
    given = getattr(file, "temporary_file_path", None)
    if given is not None:
        return keep_file(namespace=namespace, path=Path(given()), mime=mime)
    with tempfile.NamedTemporaryFile(prefix="mixcv-upload-") as copy:
        _copy(file, copy)
        return keep_file(namespace=namespace, path=Path(copy.name), mime=mime)


def _copy(source: UploadedFile[Any], target: IO[bytes]) -> None:
    for piece in source.chunks():
        target.write(piece)
    target.flush()


def _store(path: Path, name: str) -> None:
    """Copy a file into the store in pieces; weights have gigabytes."""
    if storage.exists(name):
        return
    try:
        target = Path(default_storage.path(name))
    except NotImplementedError:
        with path.open("rb") as file:
            default_storage.save(name, File(file))
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=target.parent, prefix=".new-")
    os.close(handle)
    try:
        shutil.copyfile(path, part)
        # mkstemp's files are for their owner alone; hosts may run as another user of the group.
        Path(part).chmod(0o640)
        os.replace(part, target)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise


def named_file(blob: Blob, name: str) -> Path:
    """The blob's bytes under a file name: libraries tell formats by endings, and the store's names have none."""
    path = Path(settings.MIXCV_CACHE) / "weights" / blob.sha256 / name
    if not path.exists():
        link_file(storage.local_path(blob.storage_name), path)
    return path


def link_file(source: Path, path: Path) -> None:
    """`source` under another path: a second name for it, else a copy. It is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        os.link(source, part)
    except OSError:  # another file system
        shutil.copyfile(source, part)
    os.replace(part, path)


def package_folder(archive: Blob) -> Path:
    """The folder of an uploaded package, unpacked once per content. Raises ArchiveRefused, BlobMissing."""
    folder = Path(settings.MIXCV_CACHE) / "packages" / archive.sha256
    if not folder.is_dir():
        path = storage.local_path(archive.storage_name)
        top = top_folder(list_zip(path), "manifest.py")
        unpack_zip(path, folder, below=top, bounds=PACKAGE)
    return folder
