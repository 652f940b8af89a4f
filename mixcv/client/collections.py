"""Collections: one extractor's version over buckets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mixcv.client.manager import Manager, given, part
from mixcv.client.rows import Page, Row


class Collections(Manager):
    def create(
        self,
        name: str,
        *,
        feature_extractor: dict[str, Any],
        source: dict[str, Any],
        description: str | None = None,
        metadata: dict[str, Any] | None = None,
        enabled: bool | None = None,
        idempotency_key: str | None = None,
    ) -> Row:
        """Bind a version to buckets; with `enabled`, as by default, their new images are detected by themselves."""
        body = given(
            collection_name=name,
            feature_extractor=feature_extractor,
            source=source,
            description=description,
            metadata=metadata,
            enabled=enabled,
        )
        return self._create("collections", body, key=idempotency_key)

    def get(self, collection_id: str) -> Row:
        return self._row("GET", f"collections/{part(collection_id)}")

    def update(self, collection_id: str, **changes: Any) -> Row:
        return self._row("PATCH", f"collections/{part(collection_id)}", json=changes)

    def delete(self, collection_id: str) -> Row:
        return self._row("DELETE", f"collections/{part(collection_id)}")

    def trigger(self, collection_id: str, **asked: Any) -> Row:
        """Run everything in the collection's buckets through it; `task_id` is what to wait for."""
        return self._create(f"collections/{part(collection_id)}/trigger", given(**asked))

    def list(self, *, limit: int | None = None, **asked: Any) -> Page:
        return self._list("collections/list", asked, limit=limit)

    def iterate(self, **asked: Any) -> Iterator[Row]:
        return self._iterate("collections/list", asked)
