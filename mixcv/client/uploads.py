"""Uploads of a bucket: bytes sent to a signed address, then confirmed."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mixcv.client.manager import Manager, given, part
from mixcv.client.rows import Page, Row


class Uploads(Manager):
    def create(
        self,
        bucket_id: str,
        *,
        filename: str,
        content_type: str,
        idempotency_key: str | None = None,
        **more: Any,
    ) -> Row:
        """Ask for a signed address, which is `presigned_url`."""
        body = given(filename=filename, content_type=content_type, **more)
        return self._create(_path(bucket_id), body, key=idempotency_key)

    def confirm(self, bucket_id: str, upload_id: str, *, policy: str | None = None, **more: Any) -> Row:
        """The bytes are there: make the object of them."""
        path = f"{_path(bucket_id)}/{part(upload_id)}/confirm"
        return self._create(path, given(**more), params={"policy": policy})

    def send(
        self, bucket_id: str, file: str | Path, *, metadata: dict[str, Any] | None = None, **more: Any
    ) -> Row:
        """All three steps for one file of this machine; the confirmation, with `object_id`."""
        path = Path(file)
        mime = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        upload = self.create(
            bucket_id,
            filename=path.name,
            content_type=mime,
            file_size_bytes=path.stat().st_size,
            object_metadata=metadata,
            **more,
        )
        etag = self._transport.put_file(upload.presigned_url, path, content_type=mime)
        return self.confirm(
            bucket_id, upload.upload_id, etag=etag or None, file_size_bytes=path.stat().st_size
        )

    def get(self, bucket_id: str, upload_id: str) -> Row:
        return self._row("GET", f"{_path(bucket_id)}/{part(upload_id)}")

    def delete(self, bucket_id: str, upload_id: str) -> Row:
        return self._row("DELETE", f"{_path(bucket_id)}/{part(upload_id)}")

    def list(self, bucket_id: str, *, limit: int | None = None, **asked: Any) -> Page:
        return self._list(f"{_path(bucket_id)}/list", asked, limit=limit)

    def iterate(self, bucket_id: str, **asked: Any) -> Iterator[Row]:
        return self._iterate(f"{_path(bucket_id)}/list", asked)


def _path(bucket_id: str) -> str:
    return f"buckets/{part(bucket_id)}/uploads"
