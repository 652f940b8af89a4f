"""Ground truth of a bucket: imports of zips, and what became of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mixcv.client.errors import ApiError
from mixcv.client.manager import Manager, given, part, wait_for
from mixcv.client.rows import Page, Row
from mixcv.client.tasks import OVER


class Truth(Manager):
    def upload(self, bucket_id: str, archive: str | Path, *, format: str | None = None) -> Row:
        """Send a zip of pictures with YOLO, COCO or Pascal VOC truth; the import, with `import_id`, to wait for."""
        path = Path(archive)
        if not path.is_file():
            raise ApiError(f"There is no {path}.", code="no_file")
        upload = self._create(f"{_path(bucket_id)}/uploads", {"filename": path.name})
        self._transport.put_file(upload.presigned_url, path, content_type="application/zip")
        body = given(upload_id=upload.upload_id, format=format)
        return self._create(f"{_path(bucket_id)}/import", body)

    def get(self, bucket_id: str, import_id: str) -> Row:
        """What it did so far, in numbers, with the first of its faults."""
        return self._row("GET", f"{_path(bucket_id)}/imports/{part(import_id)}")

    def wait(self, bucket_id: str, import_id: str, *, timeout: float = 600, every: float = 1) -> Row:
        """The import once it is over. Raises ApiError with its reason where it failed, and after `timeout`."""
        row = wait_for(
            lambda: self.get(bucket_id, import_id),
            lambda row: row.status in OVER,
            what=f"Import {import_id}",
            timeout=timeout,
            every=every,
        )
        if row.status == "FAILED":
            raise ApiError(f"Import {import_id} failed: {row.error}", code="failed", details=row.to_dict())
        return row

    def faults(self, bucket_id: str, import_id: str, *, limit: int | None = None, **asked: Any) -> Page:
        """What was wrong in its files, by file and line, and what that cost."""
        return self._list(
            f"{_path(bucket_id)}/imports/{part(import_id)}/faults/list", given(**asked), limit=limit
        )

    def list(self, bucket_id: str, *, limit: int | None = None, **asked: Any) -> Page:
        return self._list(f"{_path(bucket_id)}/imports/list", given(**asked), limit=limit)

    def iterate(self, bucket_id: str, **asked: Any) -> Iterator[Row]:
        return self._iterate(f"{_path(bucket_id)}/imports/list", given(**asked))


def _path(bucket_id: str) -> str:
    return f"buckets/{part(bucket_id)}/truth"
