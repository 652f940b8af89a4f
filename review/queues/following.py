"""Queues that follow what becomes known of images: in the transaction of a matching, and when documents go."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection
from django.db.models import QuerySet

from extraction.runs.models import Document
from extraction.truth.hooks import Rematched
from review.queues.differing import put_differing
from review.queues.doubtful import fill_doubtful
from review.queues.holdout import put_holdout_boxes, put_whole_images
from review.queues.models import Queue

Kind = Queue.Kind


def lock_before_matching(changed: Rematched) -> None:
    """All queues that the matching may touch, in the order of their keys."""
    _lock(changed.image_ids, [*changed.decided_ids, *changed.open_ids])


def follow_matching(changed: Rematched) -> None:
    """Let wait what is open again, what a later version says differently, and what the holdout lacks.

    The queues and all current detections of the images are locked.
    """
    queues = _queues_of(changed.image_ids)
    fill_doubtful(queues, changed.open_ids)
    put_differing(queue_ids=queues, image_ids=changed.image_ids)
    put_holdout_boxes(queue_ids=queues, image_ids=changed.image_ids)


def follow_weighing(changed: Rematched) -> None:
    """Images as a whole, once it is written how far they are reviewed."""
    queues = set(_queues_of(changed.image_ids, Kind.HOLDOUT)) | set(_waiting_whole(changed.image_ids))
    put_whole_images(queue_ids=sorted(queues), image_ids=changed.image_ids)


def lock_for_whole_image(image_id: int) -> list[int]:
    """The queues in which an image may wait as a whole, locked; before it is said to be complete."""
    queues = sorted({*_queues_of([image_id], Kind.HOLDOUT), *_waiting_whole([image_id])})
    list(Queue.objects.select_for_update(no_key=True).filter(pk__in=queues).order_by("pk").values_list("pk"))
    return queues


def let_items_go(documents: QuerySet[Document]) -> None:
    """Before documents are deleted: what waits of them in other collections' queues goes, and what waits because of
    them in their own; counted out."""
    keys = list(documents.values_list("pk", flat=True))
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT i.id, i.queue_id FROM review_queueitem i JOIN review_queue q ON q.id = i.queue_id
            JOIN extraction_detection d ON d.id = i.detection_id AND d.collection_id <> q.collection_id
            WHERE d.document_id = ANY(%(keys)s) AND i.state = 'waiting'
            UNION SELECT i.id, i.queue_id FROM extraction_document x
            JOIN review_queue q ON q.collection_id = x.collection_id
            JOIN review_queueitem i ON i.queue_id = q.id AND i.image_id = x.image_id
            LEFT JOIN extraction_detection d ON d.id = i.detection_id
            WHERE x.id = ANY(%(keys)s) AND i.state = 'waiting' AND d.collection_id IS DISTINCT FROM q.collection_id
            """,
            {"keys": keys},
        )
        found = cursor.fetchall()
        if not found:
            return
        queues = sorted({queue for _, queue in found})
        cursor.execute(
            "SELECT 1 FROM review_queue WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE", [queues]
        )
        cursor.execute(
            """
            WITH gone AS (
                DELETE FROM review_queueitem WHERE id = ANY(%s) AND state = 'waiting' RETURNING queue_id),
            counts AS (SELECT queue_id, count(*) AS n FROM gone GROUP BY queue_id)
            UPDATE review_queue q SET waiting_count = waiting_count - n FROM counts WHERE q.id = counts.queue_id
            """,
            [[item for item, _ in found]],
        )


def _lock(image_ids: Sequence[int], detection_ids: Sequence[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id FROM review_queue WHERE id IN (
                SELECT queue_id FROM review_queueitem WHERE detection_id = ANY(%(ids)s)
                UNION SELECT queue_id FROM review_queueitem
                WHERE image_id = ANY(%(images)s) AND detection_id IS NULL AND state = 'waiting'
                UNION SELECT q.id FROM extraction_document x JOIN review_queue q ON q.collection_id = x.collection_id
                WHERE x.image_id = ANY(%(images)s) AND q.kind <> 'retriever')
            ORDER BY id FOR NO KEY UPDATE
            """,
            {"ids": list(detection_ids), "images": list(image_ids)},
        )


def _queues_of(image_ids: Sequence[int], *kinds: str) -> list[int]:
    """Queues of the collections that looked at these images, but those that a retriever fills."""
    rows = Queue.objects.filter(kind__in=kinds or [Kind.DOUBTFUL, Kind.HOLDOUT])
    looked = Document.objects.filter(image__in=image_ids).values("collection")
    return sorted(rows.filter(collection__in=looked).values_list("pk", flat=True))


def _waiting_whole(image_ids: Sequence[int]) -> list[int]:
    rows = Queue.objects.filter(
        items__image__in=image_ids, items__detection=None, items__state="waiting"
    ).distinct()
    return list(rows.values_list("pk", flat=True))
