"""Keeping weights and archives by their hash."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from django.conf import settings

from extraction.intake.models import Blob
from mixcv.kernel import storage
from mixcv.tenancy.models import Namespace


def keep_file(*, namespace: Namespace, path: Path, mime: str = "application/octet-stream") -> Blob:
    """A blob with the file's bytes; the row that is there already where the content is."""
    data = path.read_bytes()
    blob = Blob(namespace=namespace, sha256=hashlib.sha256(data).hexdigest(), size=len(data), mime_type=mime)
    storage.write(blob.storage_name, data)
    kept, _ = Blob.objects.get_or_create(
        namespace=namespace, sha256=blob.sha256, defaults={"size": blob.size, "mime_type": mime}
    )
    return kept


def named_file(blob: Blob, name: str) -> Path:
    """The blob's bytes under a file name: libraries tell formats by endings, and the store's names have none."""
    path = Path(settings.MIXCV_CACHE) / "weights" / blob.sha256 / name
    if path.exists():
        return path
    source = storage.local_path(blob.storage_name)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{os.getpid()}-{name}")
    try:
        os.link(source, part)
    except OSError:  # another file system
        shutil.copyfile(source, part)
    os.replace(part, path)
    return path
