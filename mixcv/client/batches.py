"""Batches: objects on their way through collections."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mixcv.client.manager import Manager, given, part, wait_for
from mixcv.client.rows import Page, Row
from mixcv.client.tasks import OVER


class Batches(Manager):
    def create(
        self,
        bucket_id: str,
        *,
        collection_ids: Sequence[str] | None = None,
        object_ids: Sequence[str] | None = None,
        filters: dict[str, Any] | None = None,
        batch_name: str | None = None,
        dedup_strategy: str | None = None,
        auto_submit: bool | None = None,
        metadata: dict[str, Any] | None = None,
        limit: int | None = None,
        idempotency_key: str | None = None,
    ) -> Row:
        """A draft of a bucket's objects: all, some by id, or by filters; `auto_submit` hands it in at once."""
        body = given(
            collection_ids=[*collection_ids] if collection_ids is not None else None,
            object_ids=[*object_ids] if object_ids is not None else None,
            filters=filters,
            batch_name=batch_name,
            dedup_strategy=dedup_strategy,
            auto_submit=auto_submit,
            metadata=metadata,
            limit=limit,
        )
        return self._create(_path(bucket_id), body, key=idempotency_key)

    def submit(
        self,
        bucket_id: str,
        batch_id: str,
        *,
        collection_ids: Sequence[str] | None = None,
        webhook_url: str | None = None,
    ) -> Row:
        """Hand a draft to the workers; `task_id` is what to wait for."""
        body = given(
            collection_ids=[*collection_ids] if collection_ids is not None else None, webhook_url=webhook_url
        )
        return self._row("POST", f"{_path(bucket_id)}/{part(batch_id)}/submit", json=body, repeatable=True)

    def get(self, batch_id: str) -> Row:
        return self._row("GET", f"batches/{part(batch_id)}")

    def cancel(self, batch_id: str) -> Row:
        return self._row("POST", f"batches/{part(batch_id)}/cancel")

    def retry(self, bucket_id: str, batch_id: str, *, retry_mode: str | None = None) -> Row:
        """Put the failed items back to work: all of them, or `transient_only`."""
        body = given(retry_mode=retry_mode)
        return self._row("POST", f"{_path(bucket_id)}/{part(batch_id)}/retry", json=body)

    def failed_documents(self, bucket_id: str, batch_id: str, **asked: Any) -> Page:
        """The failed items, with the reason of each."""
        path = f"{_path(bucket_id)}/{part(batch_id)}/failed-documents"
        answer = self._transport.request("GET", path, params=asked)
        return Page([Row(one) for one in answer["results"]], answer)

    def audit(self, bucket_id: str, batch_id: str) -> Row:
        """Where the items stand in each collection, and what happened when."""
        return self._row("GET", f"{_path(bucket_id)}/{part(batch_id)}/audit")

    def delete(self, bucket_id: str, batch_id: str) -> Row:
        return self._row("DELETE", f"{_path(bucket_id)}/{part(batch_id)}")

    def wait(self, batch_id: str, *, timeout: float = 600, every: float = 1) -> Row:
        """The batch once it is over, however it ended. Raises ApiError after `timeout` seconds."""
        return wait_for(
            lambda: self.get(batch_id),
            lambda row: row.status in OVER,
            what=f"Batch {batch_id}",
            timeout=timeout,
            every=every,
        )

    def list(self, bucket_id: str | None = None, *, limit: int | None = None, **asked: Any) -> Page:
        """The batches of a bucket, or of the namespace, newest first."""
        return self._list("batches/list", given(bucket_id=bucket_id, **asked), limit=limit)

    def iterate(self, bucket_id: str | None = None, **asked: Any) -> Iterator[Row]:
        return self._iterate("batches/list", given(bucket_id=bucket_id, **asked))


def _path(bucket_id: str) -> str:
    return f"buckets/{part(bucket_id)}/batches"
