"""Tasks of queues."""

from __future__ import annotations

from celery import shared_task

from review.queues.filling import TASK, fill_from_retrievers


@shared_task(name=TASK, queue="cpu")
def fill_queues(collection_id: int, document_ids: list[int]) -> None:
    """Put what retrievers find among new images into their queues."""
    fill_from_retrievers(collection_id=collection_id, document_ids=document_ids)
