"""Documents and their detections."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mixcv.client.manager import Manager, given, part
from mixcv.client.rows import Page, Row


class Documents(Manager):
    """`document_id` may be a detection's, such as doc_frame_001_det_0. `collection_id` tells equal ids apart."""

    def get(self, document_id: str, *, collection_id: str | None = None, return_vectors: bool = False) -> Row:
        params = {"collection_id": collection_id, "return_vectors": return_vectors}
        return self._row("GET", f"documents/{part(document_id)}", params=params)

    def get_many(self, document_ids: Sequence[str], *, collection_id: str | None = None) -> Page:
        """Up to 1,000 at once; `not_found` lists the ids that are not there."""
        body = given(document_ids=[*document_ids], collection_id=collection_id)
        answer = self._transport.request("POST", "documents/batch-get", json=body, repeatable=True)
        return Page([Row(one) for one in answer["results"]], answer, key="documents")

    def update(self, document_id: str, metadata: dict[str, Any], *, collection_id: str | None = None) -> Row:
        """Merge fields into a document's metadata."""
        params = {"collection_id": collection_id}
        return self._row(
            "PATCH", f"documents/{part(document_id)}", json={"metadata": metadata}, params=params
        )

    def delete(self, document_id: str, *, collection_id: str | None = None) -> Row:
        return self._row("DELETE", f"documents/{part(document_id)}", params={"collection_id": collection_id})

    def list(
        self, collection_ids: Sequence[str] | None = None, *, limit: int | None = None, **asked: Any
    ) -> Page:
        """All documents of these collections, or of all, with their current detections."""
        body = given(collection_ids=[*collection_ids] if collection_ids is not None else None, **asked)
        return self._list("documents/list", body, limit=limit)

    def iterate(self, collection_ids: Sequence[str] | None = None, **asked: Any) -> Iterator[Row]:
        body = given(collection_ids=[*collection_ids] if collection_ids is not None else None, **asked)
        return self._iterate("documents/list", body)

    def count(self, collection_id: str, *, filters: dict[str, Any] | None = None) -> int:
        """How many documents a collection has, or how many of them pass filters."""
        path = f"collections/{part(collection_id)}/documents/count"
        row = self._row("POST", path, json=given(filters=filters), repeatable=True)
        return int(row["count"])

    def distinct(self, collection_id: str, field: str, **asked: Any) -> Row:
        """The values of a field, the commonest first."""
        path = f"collections/{part(collection_id)}/documents/distinct"
        return self._row("POST", path, json=given(field=field, **asked), repeatable=True)
