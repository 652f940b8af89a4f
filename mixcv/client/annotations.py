"""Annotations: what people and programs decide about detections."""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from mixcv.client.manager import Manager, given, part
from mixcv.client.rows import Page, Row

MOST_AT_ONCE = 1000


class Annotations(Manager):
    page_size = 500

    def create(
        self,
        document_id: str,
        *,
        label: str,
        collection_id: str | None = None,
        confidence: float | None = None,
        reasoning: str | None = None,
        payload: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
        retriever_id: str | None = None,
        execution_id: str | None = None,
        stage_name: str | None = None,
        idempotency_key: str | None = None,
    ) -> Row:
        """Record a decision: confirmed, corrected, false_positive, missed, or a label of the vocabulary.

        `payload` may have predicted_class, true_class, bbox {x, y, w, h} (x, y the centre, in pixels).
        """
        body = given(
            document_id=document_id,
            collection_id=collection_id,
            label=label,
            confidence=confidence,
            reasoning=reasoning,
            payload=payload,
            metadata=metadata,
            retriever_id=retriever_id,
            execution_id=execution_id,
            stage_name=stage_name,
        )
        return self._create("annotations", body, key=idempotency_key)

    def get(self, annotation_id: str) -> Row:
        return self._row("GET", f"annotations/{part(annotation_id)}")

    def update(self, annotation_id: str, **changes: Any) -> Row:
        """Change what is given; each change is a new version under the same id."""
        return self._row("PATCH", f"annotations/{part(annotation_id)}", json=changes)

    def delete(self, annotation_id: str) -> Row:
        return self._row("DELETE", f"annotations/{part(annotation_id)}")

    def versions(self, annotation_id: str) -> Page:
        """All versions, the first one first: who changed what and when."""
        answer = self._transport.request("GET", f"annotations/{part(annotation_id)}/versions")
        return Page([Row(one) for one in answer["versions"]], answer, key="versions")

    def version(self, annotation_id: str, number: int) -> Row:
        """The annotation as it was in one version."""
        return self._row("GET", f"annotations/{part(annotation_id)}/versions/{number}")

    def list(
        self,
        *,
        collection_id: str | None = None,
        document_id: str | None = None,
        label: str | None = None,
        actor_id: str | None = None,
        retriever_id: str | None = None,
        as_of: datetime | str | None = None,
        created_after: datetime | str | None = None,
        created_before: datetime | str | None = None,
        limit: int | None = None,
    ) -> Page:
        """All annotations that fit, newest first, however many pages that takes; or the first `limit` of them."""
        asked = given(
            collection_id=collection_id,
            document_id=document_id,
            label=label,
            actor_id=actor_id,
            retriever_id=retriever_id,
            as_of=as_of,
            created_after=created_after,
            created_before=created_before,
        )
        return self._list("annotations/list", asked, limit=limit)

    def iterate(self, **asked: Any) -> Iterator[Row]:
        """The same, a page at a time as they are used."""
        return self._iterate("annotations/list", given(**asked))

    def stats(
        self,
        *,
        collection_id: str | None = None,
        document_id: str | None = None,
        label: str | None = None,
        created_after: datetime | str | None = None,
        created_before: datetime | str | None = None,
        interval: str | None = None,
        group_by: str | None = None,
        **more: Any,
    ) -> Row:
        """How many there are by label, with rates and what they say of the detector; over time, and in groups."""
        params = given(
            collection_id=collection_id,
            document_id=document_id,
            label=label,
            created_after=created_after,
            created_before=created_before,
            interval=interval,
            group_by=group_by,
            **more,
        )
        return self._row("GET", "annotations/stats", params=params)

    def bulk(
        self,
        *,
        create: Sequence[dict[str, Any]] = (),
        update: Sequence[dict[str, Any]] = (),
        delete: Sequence[str] = (),
        idempotency_key: str | None = None,
    ) -> Page:
        """Up to 1,000 of each in one call. Every operation stands alone: its row has `success` and `error`.

        With an `idempotency_key` of your own a program that was stopped may repeat what was not answered.
        """
        body = given(create=[*create] or None, update=[*update] or None, delete=[*delete] or None)
        answer = self._transport.request(
            "POST", "annotations/bulk", json=body, creates=True, idempotency_key=idempotency_key
        )
        return Page([Row(one) for one in answer["results"]], answer)

    def upload(self, items: Sequence[dict[str, Any]]) -> builtins.list[Row]:
        """Create any number in bulk calls of 1,000; each one's outcome in order."""
        outcomes: list[Row] = []
        for start in range(0, len(items), MOST_AT_ONCE):
            outcomes += self.bulk(create=items[start : start + MOST_AT_ONCE]).items
        return outcomes

    def complete(self, document_ids: Sequence[str], *, collection_id: str | None = None) -> Page:
        """Say that nothing is missing on up to 1,000 images; each one's `completeness` then."""
        body = given(document_ids=[*document_ids], collection_id=collection_id)
        answer = self._transport.request("POST", "annotations/complete", json=body, repeatable=True)
        return Page([Row(one) for one in answer["results"]], answer)

    def labels(self) -> Page:
        """The labels that annotations can have."""
        answer = self._transport.request("GET", "annotations/labels")
        return Page([Row(one) for one in answer["results"]], answer)

    def create_label(self, label: str, *, description: str | None = None) -> Row:
        return self._create("annotations/labels", given(label=label, description=description))

    def delete_label(self, label: str) -> Row:
        return self._row("DELETE", f"annotations/labels/{part(label)}")
