"""Writing a chunk: documents, detections, embeddings and item states in one transaction, in bulk.

The unique keys make a repeat harmless: what a killed worker had written already is found and left as it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone
from pgvector import HalfVector
from pgvector.psycopg import register_vector
from psycopg.types.json import Jsonb

from extraction.classes.domain import ensure_classes
from extraction.classes.models import ObjectClass
from extraction.intake.models import Object
from extraction.packages.host.spec import ImageResult
from extraction.packages.models import Feature
from extraction.runs.domain.claim import Claimed
from extraction.runs.domain.locking import lock_detections_of
from extraction.runs.domain.naming import choose_slugs, wanted_slug
from extraction.runs.hooks import WrittenChunk, chunk_written
from extraction.runs.models import Batch, BatchItem, Collection, Detection, Document
from mixcv.kernel.models import Job

_COLUMNS = (
    "id, document_id, ordinal, collection_id, image_id, extractor_version_id, generation, current, rank,"
    " object_class_id, confidence, cx, cy, w, h, class_scores, extra, decided_label, revision"
)


@dataclass
class _Chunk:
    collection: Collection
    documents: list[tuple[Document, ImageResult]] = field(default_factory=list)
    superseded: list[int] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)
    skipped: list[int] = field(default_factory=list)
    done: list[int] = field(default_factory=list)


def write_chunk(
    *, collection: Collection, worker: str, items: Sequence[Claimed], results: Sequence[ImageResult]
) -> int:
    """Store what the host found in `items`, in order. Items that are no longer this worker's are left out.

    Returns the number of images written. Detections' boxes: centre, width and height in pixels of the upright image.
    """
    with transaction.atomic():
        # Batches before their items, as everybody who stops or finishes a batch locks them.
        keys = sorted({item.batch_id for item in items})
        list(
            Batch.objects.select_for_update(no_key=True).filter(pk__in=keys).order_by("pk").values_list("pk")
        )
        mine = _still_mine(worker, items)
        pairs = [(item, result) for item, result in zip(items, results, strict=True) if item.item_id in mine]
        chunk = _Chunk(collection)
        good = [(item, result) for item, result in pairs if result.error is None]
        chunk.failed = {
            item.item_id: result.error.replace("\x00", "?")
            for item, result in pairs
            if result.error is not None
        }
        _documents(chunk, good)
        detection_ids = _detections(chunk)
        _settle(chunk, worker)
        _count(chunk, pairs, len(detection_ids))
        written = WrittenChunk(
            collection, [document.pk for document, _ in chunk.documents], detection_ids, chunk.superseded
        )
        for hook in chunk_written:
            hook(written)
    return len(chunk.documents)


def _still_mine(worker: str, items: Sequence[Claimed]) -> set[int]:
    rows = BatchItem.objects.select_for_update().filter(
        pk__in=[item.item_id for item in items], lease_owner=worker, state=BatchItem.State.RUNNING
    )
    return set(rows.order_by("pk").values_list("pk", flat=True))


def _documents(chunk: _Chunk, good: Sequence[tuple[Claimed, ImageResult]]) -> None:
    """Find or make the documents; where one is there already the batch's dedup strategy decides."""
    collection = chunk.collection
    with connection.cursor() as cursor:
        # Two workers of one collection choose slugs one after the other.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('documents', %s))", [collection.pk])
    known = {
        document.object_id: document
        for document in Document.objects.filter(
            collection=collection, object_id__in=[item.object_id for item, _ in good]
        )
    }
    dedup = dict(Batch.objects.filter(pk__in={item.batch_id for item, _ in good}).values_list("pk", "dedup"))
    fresh: list[tuple[Claimed, ImageResult]] = []
    seen: set[int] = set()
    for item, result in good:
        document = known.get(item.object_id)
        if document is None and item.object_id not in seen:
            seen.add(item.object_id)
            fresh.append((item, result))
            chunk.done.append(item.item_id)
        elif document is None or item.object_id in seen or _stands(document, item, dedup):
            chunk.skipped.append(item.item_id)
        else:
            seen.add(item.object_id)
            document.generation += 1
            document.image_id = item.image_id
            chunk.documents.append((document, result))
            chunk.done.append(item.item_id)
    _supersede(chunk)
    _make_documents(chunk, fresh)


def _stands(document: Document, item: Claimed, dedup: dict[int, str]) -> bool:
    """Whether what was found in this object before is kept: it is still the same picture, and nobody asked for more."""
    return dedup[item.batch_id] == Batch.Dedup.SKIP and document.image_id == item.image_id


def _supersede(chunk: _Chunk) -> None:
    """The generation before stays, for what refers to it, and is current no more."""
    mine = {"document_id__in": [document.pk for document, _ in chunk.documents], "current": True}
    chunk.superseded = lock_detections_of(**mine)
    Detection.objects.filter(pk__in=chunk.superseded).update(current=False)


def _make_documents(chunk: _Chunk, fresh: Sequence[tuple[Claimed, ImageResult]]) -> None:
    if not fresh:
        return
    names = {wanted_slug(item.key) for item, _ in fresh}
    taken = Document.objects.filter(collection=chunk.collection, slug__in=names).values_list(
        "slug", flat=True
    )
    slugs = choose_slugs([(item.key, item.object_ref) for item, _ in fresh], set(taken))
    objects = Object.objects.filter(pk__in=[item.object_id for item, _ in fresh])
    metadata = dict(objects.values_list("pk", "metadata"))
    rows = Document.objects.bulk_create(
        [
            Document(
                collection=chunk.collection,
                object_id=item.object_id,
                image_id=item.image_id,
                slug=slug,
                metadata=metadata.get(item.object_id, {}),
            )
            for (item, _), slug in zip(fresh, slugs, strict=True)
        ]
    )
    chunk.documents += [(document, result) for document, (_, result) in zip(rows, fresh, strict=True)]


def _detections(chunk: _Chunk) -> list[int]:
    """COPY the detections and their vectors; set what the documents say of them. Returns the new ids."""
    collection = chunk.collection
    version = collection.extractor_version
    assert version is not None
    names = {found.class_name for _, result in chunk.documents for found in result.detections}
    known = set(version.class_names)
    classes = ensure_classes(namespace=collection.namespace, names=names & known)
    classes |= ensure_classes(
        namespace=collection.namespace, names=names - known, state=ObjectClass.State.PROPOSED
    )
    total = sum(len(result.detections) for _, result in chunk.documents)
    ids = _reserve(total)
    at = 0
    connection.ensure_connection()
    register_vector(connection.connection)  # before the cursor, which copies what the connection knows
    with connection.cursor() as cursor:
        with cursor.copy(f"COPY extraction_detection ({_COLUMNS}) FROM STDIN") as copy:
            for document, result in chunk.documents:
                for rank, found in enumerate(result.detections):
                    copy.write_row(
                        (
                            *(
                                ids[at],
                                document.pk,
                                document.next_ordinal + rank,
                                collection.pk,
                                document.image_id,
                            ),
                            *(version.pk, document.generation, True, rank, classes[found.class_name].pk),
                            *(found.confidence, found.x, found.y, found.w, found.h),
                            Jsonb(found.class_scores) if found.class_scores else None,
                            Jsonb(found.extra) if found.extra else None,
                            *("", 0),
                        )
                    )
                    at += 1
        _embeddings(cursor, chunk, ids)
    now = timezone.now()
    for document, result in chunk.documents:
        document.detection_count = len(result.detections)
        document.next_ordinal += len(result.detections)
        document.top_confidence = result.detections[0].confidence if result.detections else None
        document.updated_at = now
    Document.objects.bulk_update(
        [document for document, _ in chunk.documents],
        ["image", "generation", "detection_count", "next_ordinal", "top_confidence", "updated_at"],
    )
    return ids


def _reserve(number: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence('extraction_detection', 'id')) FROM generate_series(1, %s)",
            [number],
        )
        return [row[0] for row in cursor.fetchall()]


def _embeddings(cursor: Any, chunk: _Chunk, ids: Sequence[int]) -> None:
    """COPY vectors in binary form. A row of NaN is one that must not be stored."""
    features = dict(
        Feature.objects.filter(
            extractor_version=chunk.collection.extractor_version, kind=Feature.Kind.EMBEDDING, same_as=None
        ).values_list("name", "pk")
    )
    crop = features.get("crop_embedding")
    with cursor.copy(
        "COPY extraction_embedding (feature_id, detection_id, vector) FROM STDIN (FORMAT BINARY)"
    ) as copy:
        copy.set_types(["int8", "int8", "halfvec"])
        at = 0
        for _, result in chunk.documents:
            own = {**result.vectors, "crop_embedding": result.crop_embedding} if crop else result.vectors
            for name, vectors in own.items():
                if name not in features:
                    continue
                for row, vector in enumerate(vectors):
                    if math.isfinite(float(vector[0])) and not np.isnan(vector).any():
                        copy.write_row((features[name], ids[at + row], HalfVector(vector)))
            at += len(result.detections)


def _settle(chunk: _Chunk, worker: str) -> None:
    now = timezone.now()
    free = {"lease_owner": "", "lease_until": None, "finished_at": now}
    BatchItem.objects.filter(pk__in=chunk.done).update(state=BatchItem.State.DONE, reason="", **free)
    BatchItem.objects.filter(pk__in=chunk.skipped).update(
        state=BatchItem.State.SKIPPED, reason="done before in this collection", **free
    )
    for item_id, reason in chunk.failed.items():
        BatchItem.objects.filter(pk=item_id).update(state=BatchItem.State.FAILED, reason=reason, **free)


def _count(chunk: _Chunk, pairs: Sequence[tuple[Claimed, ImageResult]], detections: int) -> None:
    """Counters of the collection, the batches and their jobs."""
    new = sum(1 for document, _ in chunk.documents if document.generation == 1)
    Collection.objects.filter(pk=chunk.collection.pk).update(
        document_count=F("document_count") + new,
        detection_count=F("detection_count") + detections - len(chunk.superseded),
    )
    done, skipped = set(chunk.done), set(chunk.skipped)
    by_batch: dict[int, list[int]] = {}
    for item, _ in pairs:
        by_batch.setdefault(item.batch_id, []).append(item.item_id)
    for batch_id, keys in sorted(by_batch.items()):
        finished = sum(1 for key in keys if key in done)
        passed = sum(1 for key in keys if key in skipped)
        Batch.objects.filter(pk=batch_id).update(
            done_count=F("done_count") + finished,
            skipped_count=F("skipped_count") + passed,
            failed_count=F("failed_count") + len(keys) - finished - passed,
        )
        _advance_job(batch_id)


def _advance_job(batch_id: int) -> None:
    """Progress and rate; the rate is over the time since the mark before, which is moved every two seconds."""
    batch = Batch.objects.select_related("job").get(pk=batch_id)
    job = batch.job
    if job is None:
        return
    done = batch.done_count + batch.skipped_count + batch.failed_count
    now = timezone.now().timestamp()
    mark = job.checkpoint or {"at": job.started_at.timestamp() if job.started_at else now, "done": 0}
    elapsed = now - mark["at"]
    values: dict[str, Any] = {"done": done}
    if elapsed > 0.5:
        values["rate"] = max(0.0, done - mark["done"]) / elapsed
    if elapsed > 2 or not job.checkpoint:
        values["checkpoint"] = {"at": now, "done": done} if elapsed > 2 else mark
    Job.objects.filter(pk=job.pk).update(**values)
