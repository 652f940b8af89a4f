"""The queue "Complete the holdout": all that is open on held-out images, and those on which nothing was found."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection, transaction
from django.db.models import Count, Q

from extraction.intake.models import Image
from extraction.runs.models import Collection, Detection, Document
from extraction.search.domain import ensure_retriever
from extraction.truth.models import ImageReview
from mixcv.kernel.errors import Conflict
from mixcv.kernel.events import Happening, publish
from mixcv.kernel.ids import slug
from mixcv.tenancy.actors import SYSTEM, Actor
from review.queues.filling import NO_THRESHOLD, lock_undecided
from review.queues.models import Queue

NAME = "Complete the holdout"
REVIEWED = [ImageReview.Completeness.COMPLETE, ImageReview.Completeness.VERIFIED_EMPTY]


class NoHoldoutImage(Conflict):
    """The collection has no held-out image: nothing is to be completed."""

    code = "no_holdout_image"


def ensure_holdout_queue(*, collection: Collection, by: Actor = SYSTEM) -> Queue:
    """The collection's queue of what its holdout lacks, made and filled where there is none; asked again, brought up
    to date. Raises NoHoldoutImage."""
    held_out = Document.objects.filter(collection=collection, image__split=Image.Split.HOLDOUT)
    images = sorted(set(held_out.values_list("image_id", flat=True)))
    if not images:
        raise NoHoldoutImage(
            f"No image of {collection.name} is held out. Mark images as holdout when you add or import them."
        )
    open_boxes = Detection.objects.filter(
        collection=collection, current=True, decided_label="", image__in=images
    )
    with transaction.atomic():
        held = lock_undecided(open_boxes.values_list("pk", flat=True))
        queue, made = _queue(collection)
        Queue.objects.select_for_update(no_key=True).get(pk=queue.pk)
        put_holdout_boxes(queue_ids=[queue.pk], image_ids=images, detection_ids=sorted(held))
        put_whole_images(queue_ids=[queue.pk], image_ids=images)
        if made:
            publish(
                namespace_id=queue.namespace_id,
                actor=by.name,
                happenings=[Happening("queue.filled", queue.public_id, {"kind": queue.kind})],
            )
    queue.refresh_from_db()
    return queue


def _queue(collection: Collection) -> tuple[Queue, bool]:
    name = collection.public_id.removeprefix("col_")
    known = Queue.objects.filter(collection=collection, kind=Queue.Kind.HOLDOUT).first()
    if known:
        return known, False
    retriever = ensure_retriever(
        namespace=collection.namespace,
        name=f"{name}_holdout",
        description=f"Boxes of {collection.name}, least sure first; its queue has those of held-out images",
        stages=[_stage()],
        collections=[collection],
    )
    return Queue.objects.get_or_create(
        namespace=collection.namespace,
        public_id=slug(f"{name}_holdout")[:130],
        defaults={
            "collection": collection,
            "retriever": retriever,
            "name": NAME,
            "kind": Queue.Kind.HOLDOUT,
            "doubtful_below": NO_THRESHOLD,
        },
    )


def _stage() -> dict[str, object]:
    condition = {"field": "detections.*.confidence", "operator": "gte", "value": 0}
    return {
        "stage_name": "holdout",
        "stage_type": "filter",
        "config": {
            "stage_id": "attribute_filter",
            "parameters": {"filters": {"AND": [condition]}, "unit": "detection"},
        },
    }


def put_holdout_boxes(
    *, queue_ids: Sequence[int], image_ids: Sequence[int], detection_ids: Sequence[int] | None = None
) -> None:
    """Let open boxes of held-out images wait. The queues are locked, and the boxes (all of the images' without
    `detection_ids`) held or the transaction's own."""
    if not (queue_ids and image_ids):
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH new AS (
                INSERT INTO review_queueitem
                    (queue_id, detection_id, image_id, score, reason, state, source, created_at)
                SELECT q.id, d.id, d.image_id, d.confidence, '', 'waiting', 'queue', now()
                FROM review_queue q JOIN extraction_detection d ON d.collection_id = q.collection_id
                JOIN extraction_image m ON m.id = d.image_id AND m.split = 'holdout'
                WHERE q.id = ANY(%(queues)s) AND q.kind = 'holdout' AND d.image_id = ANY(%(images)s)
                    AND d.current AND d.decided_label = ''
                    AND (%(ids)s::bigint[] IS NULL OR d.id = ANY(%(ids)s::bigint[]))
                ORDER BY q.id, d.id ON CONFLICT (queue_id, detection_id) DO NOTHING RETURNING queue_id),
            counts AS (SELECT queue_id, count(*) AS n FROM new GROUP BY queue_id)
            UPDATE review_queue q SET waiting_count = waiting_count + n FROM counts WHERE q.id = counts.queue_id
            """,
            {
                "queues": list(queue_ids),
                "images": list(image_ids),
                "ids": None if detection_ids is None else list(detection_ids),
            },
        )


def put_whole_images(*, queue_ids: Sequence[int], image_ids: Sequence[int]) -> None:
    """Let held-out images wait as a whole where no box of the collection is open and they are not complete; tick off
    those that are complete, and let go of the others. The queues are locked.

    What is open in other collections does not hold an image back: this queue has none of it to be decided.
    """
    if not (queue_ids and image_ids):
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH held AS (
                SELECT DISTINCT q.id AS queue_id, x.image_id, true AS looked
                FROM review_queue q JOIN extraction_document x ON x.collection_id = q.collection_id
                JOIN extraction_image m ON m.id = x.image_id AND m.split = 'holdout'
                WHERE q.id = ANY(%(queues)s) AND q.kind = 'holdout' AND x.image_id = ANY(%(images)s)),
            was AS (
                SELECT id, queue_id, image_id, state FROM review_queueitem
                WHERE queue_id = ANY(%(queues)s) AND image_id = ANY(%(images)s) AND detection_id IS NULL),
            plan AS MATERIALIZED (
                SELECT b.*, CASE
                    WHEN NOT b.looked THEN 'superseded'
                    WHEN r.completeness IN ('complete', 'verified_empty') THEN 'done'
                    WHEN EXISTS (SELECT 1 FROM extraction_detection d WHERE d.image_id = b.image_id
                        AND d.collection_id = q.collection_id AND d.current AND d.decided_label = '')
                    THEN 'superseded'
                    ELSE 'waiting' END AS after
                FROM (SELECT queue_id, image_id, was.id, was.state AS before, held.looked IS NOT NULL AS looked
                    FROM held FULL JOIN was USING (queue_id, image_id)) b
                JOIN review_queue q ON q.id = b.queue_id
                LEFT JOIN extraction_imagereview r ON r.image_id = b.image_id),
            made AS (
                INSERT INTO review_queueitem (queue_id, image_id, score, reason, state, source, created_at)
                SELECT queue_id, image_id, 1.5, '', 'waiting', 'queue', now() FROM plan
                WHERE id IS NULL AND after = 'waiting' ORDER BY queue_id, image_id),
            moved AS (
                UPDATE review_queueitem i SET state = p.after FROM plan p WHERE i.id = p.id AND p.before <> p.after),
            counts AS (
                SELECT queue_id, sum((after = 'waiting')::int - (coalesce(before, '') = 'waiting')::int) AS waiting,
                    sum((after = 'done')::int - (coalesce(before, '') = 'done')::int) AS done
                FROM plan WHERE id IS NOT NULL OR after = 'waiting' GROUP BY queue_id)
            UPDATE review_queue q SET waiting_count = waiting_count + c.waiting, done_count = done_count + c.done
            FROM counts c WHERE q.id = c.queue_id AND (c.waiting <> 0 OR c.done <> 0)
            """,
            {"queues": list(queue_ids), "images": list(image_ids)},
        )


def holdout_left(collections: Sequence[int]) -> dict[int, int]:
    """How many held-out images are not reviewed whole, by collection; those without held-out images are not in it."""
    rows = (
        Document.objects.filter(collection__in=collections, image__split=Image.Split.HOLDOUT)
        .order_by()
        .values("collection")
        .annotate(
            left=Count(
                "image",
                distinct=True,
                filter=~Q(image__review__completeness__in=REVIEWED) | Q(image__review=None),
            )
        )
    )
    return {row["collection"]: row["left"] for row in rows}
