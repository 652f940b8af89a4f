"""Where higher apps join in when detections are written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.db.models import QuerySet

from extraction.runs.models import Collection, Document
from mixcv.kernel.registry import Registry


@dataclass(frozen=True)
class WrittenChunk:
    """What one transaction of extraction wrote."""

    collection: Collection
    document_ids: list[int]
    detection_ids: list[int]
    superseded_ids: list[int]


# Called inside the writing transaction: what they write is there exactly when the detections are.
chunk_written: Registry[Callable[[WrittenChunk], None]] = Registry("chunk written")

# Called inside the transaction that makes a collection.
collection_created: Registry[Callable[[Collection], None]] = Registry("collection created")

# Called inside the transaction before a collection is deleted: what refers to it goes, or raises where it must stay.
collection_leaving: Registry[Callable[[Collection], None]] = Registry("collection leaving")

# Called inside the transaction before documents are deleted: what refers to them without need lets go of them.
documents_leaving: Registry[Callable[[QuerySet[Document]], None]] = Registry("documents leaving")
