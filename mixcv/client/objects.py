"""Objects of a bucket: images with their metadata."""

from __future__ import annotations

import builtins
import json
import mimetypes
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mixcv.client.manager import Manager, given, part
from mixcv.client.rows import Page, Row
from mixcv.client.transport import FilePart

_AT_ONCE, _BYTES_AT_ONCE = 100, 64 << 20


class Objects(Manager):
    def create(
        self,
        bucket_id: str,
        *,
        blobs: Sequence[dict[str, Any]],
        metadata: dict[str, Any] | None = None,
        key_prefix: str | None = None,
        idempotency_key: str | None = None,
        skip_duplicates: bool | None = None,
        policy: str | None = None,
    ) -> Row:
        """Put one image into the bucket. A blob's `data` is `{"url": …}` (http, https, s3), or base64.

        `idempotency_key` is the object's: the same key in the bucket gives the object that is there.
        """
        body = given(
            blobs=builtins.list(blobs),
            metadata=metadata,
            key_prefix=key_prefix,
            idempotency_key=idempotency_key,
            skip_duplicates=skip_duplicates,
        )
        return self._create(_path(bucket_id), body, params={"policy": policy})

    def create_many(
        self,
        bucket_id: str,
        *,
        objects: Sequence[dict[str, Any]],
        skip_duplicates: bool | None = None,
        policy: str | None = None,
    ) -> Row:
        """Put up to 1,000 images into the bucket; `succeeded` and `failed` have each one's outcome."""
        body = given(objects=builtins.list(objects), skip_duplicates=skip_duplicates)
        return self._create(f"{_path(bucket_id)}/batch", body, params={"policy": policy})

    def upload(
        self,
        bucket_id: str,
        *,
        files: Sequence[str | Path],
        metadata: dict[str, Any] | None = None,
        key_prefix: str | None = None,
        skip_duplicates: bool = False,
    ) -> builtins.list[Row]:
        """Send files of this machine. Each one's outcome in order: the object, or a row with its `error`."""
        fields = given(key_prefix=key_prefix)
        if metadata is not None:
            fields["metadata"] = json.dumps(metadata)
        if skip_duplicates:
            fields["skip_duplicates"] = "true"
        outcomes: list[Row] = []
        for parts in _portions([Path(file) for file in files]):
            answer = self._transport.request("POST", _path(bucket_id), data=fields, files=parts, creates=True)
            outcomes += _in_order(answer)
        return outcomes

    def get(self, bucket_id: str, object_id: str) -> Row:
        return self._row("GET", f"{_path(bucket_id)}/{part(object_id)}")

    def update(self, bucket_id: str, object_id: str, **changes: Any) -> Row:
        return self._row("PATCH", f"{_path(bucket_id)}/{part(object_id)}", json=changes)

    def delete(self, bucket_id: str, object_id: str) -> Row:
        return self._row("DELETE", f"{_path(bucket_id)}/{part(object_id)}")

    def list(self, bucket_id: str, *, limit: int | None = None, **asked: Any) -> Page:
        """All objects of the bucket, newest first, by `search`, `filters`, `sort`."""
        return self._list(f"{_path(bucket_id)}/list", asked, limit=limit)

    def iterate(self, bucket_id: str, **asked: Any) -> Iterator[Row]:
        return self._iterate(f"{_path(bucket_id)}/list", asked)


def _path(bucket_id: str) -> str:
    return f"buckets/{part(bucket_id)}/objects"


def _portions(paths: Sequence[Path]) -> Iterator[list[FilePart]]:
    """The files as parts of multipart bodies, of which none gets too large."""
    parts: list[FilePart] = []
    size = 0
    for path in paths:
        content = path.read_bytes()
        if parts and (len(parts) >= _AT_ONCE or size + len(content) > _BYTES_AT_ONCE):
            yield parts
            parts, size = [], 0
        mime = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        parts.append(("files", (path.name, content, mime)))
        size += len(content)
    if parts:
        yield parts


def _in_order(answer: dict[str, Any]) -> list[Row]:
    """The outcomes of several files stand in two lists, each with its place; one file answers as an object."""
    if "succeeded" not in answer:
        return [Row(answer)]
    return [Row(one) for one in sorted(answer["succeeded"] + answer["failed"], key=lambda one: one["index"])]
