"""Buckets, with their objects and uploads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mixcv.client.manager import Manager, given, part
from mixcv.client.objects import Objects
from mixcv.client.rows import Page, Row
from mixcv.client.transport import Transport
from mixcv.client.truth import Truth
from mixcv.client.uploads import Uploads


class Buckets(Manager):
    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        self.objects = Objects(transport)
        self.uploads = Uploads(transport)
        self.truth = Truth(transport)

    def create(
        self,
        name: str,
        *,
        bucket_schema: dict[str, Any] | None = None,
        description: str | None = None,
        metadata: dict[str, Any] | None = None,
        split_key: str | None = None,
        unique_key: dict[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Row:
        """Make a bucket. `split_key`: the field of metadata that keeps near-duplicates on one side of the holdout."""
        body = given(
            bucket_name=name,
            bucket_schema=bucket_schema,
            description=description,
            metadata=metadata,
            split_key=split_key,
            unique_key=unique_key,
        )
        return self._create("buckets", body, key=idempotency_key)

    def get(self, bucket_id: str) -> Row:
        return self._row("GET", f"buckets/{part(bucket_id)}")

    def update(self, bucket_id: str, **changes: Any) -> Row:
        return self._row("PATCH", f"buckets/{part(bucket_id)}", json=changes)

    def delete(self, bucket_id: str, *, force: bool = False) -> Row:
        """Delete a bucket that nothing refers to; with `force` its objects too."""
        return self._row("DELETE", f"buckets/{part(bucket_id)}", params={"force": force})

    def list(self, *, limit: int | None = None, **asked: Any) -> Page:
        """All buckets, by `search`, `filters`, `sort`."""
        return self._list("buckets/list", asked, limit=limit)

    def iterate(self, **asked: Any) -> Iterator[Row]:
        return self._iterate("buckets/list", asked)
