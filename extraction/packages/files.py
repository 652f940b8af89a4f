"""Keeping weights and archives by their hash."""

from __future__ import annotations

import hashlib
from pathlib import Path

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
