"""Verbs of queues: who gets which image next, and what waits at all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from extraction.intake.models import Image
from extraction.runs.hooks import WrittenChunk
from extraction.runs.models import Collection, Detection
from extraction.search.domain import ensure_retriever
from extraction.search.models import Execution
from extraction.truth import domain as truth
from mixcv.kernel.errors import InvalidInput
from mixcv.kernel.events import Happening, publish
from mixcv.kernel.ids import slug
from mixcv.tenancy.actors import Actor, person
from mixcv.tenancy.models import User
from review.queues.filling import NO_THRESHOLD, want_filling
from review.queues.models import Queue, QueueItem
from review.verdicts.domain.effects import Settled

Waiting = QueueItem.State.WAITING


def make_default_queue(collection: Collection) -> None:
    """Every collection has a queue of its doubtful boxes, least sure first."""
    namespace = collection.namespace
    name = collection.public_id.removeprefix("col_")
    below = settings.MIXCV_DOUBTFUL_BELOW
    retriever = ensure_retriever(
        namespace=namespace,
        name=f"{name}_doubtful",
        description=f"Boxes of {collection.name} under {below:.2f}, least sure first",
        stages=[doubtful_stage(below)],
        collections=[collection],
    )
    Queue.objects.get_or_create(
        namespace=namespace,
        public_id=slug(f"{name}_doubtful"),
        defaults={
            "collection": collection,
            "retriever": retriever,
            "name": "Doubtful boxes",
            "doubtful_below": below,
        },
    )


def doubtful_stage(below: float) -> dict[str, object]:
    """The retriever's filter that a queue of doubtful boxes stands for."""
    condition = {"field": "detections.*.confidence", "operator": "lt", "value": below}
    return {
        "stage_name": "doubtful",
        "stage_type": "filter",
        "config": {
            "stage_id": "attribute_filter",
            "parameters": {"filters": {"AND": [condition]}, "unit": "detection"},
        },
    }


def fill_from_chunk(chunk: WrittenChunk) -> None:
    """Put the doubtful ones of new detections into the collection's queues; inside the transaction that wrote them.

    What retrievers find among them follows after it.
    """
    if chunk.detection_ids:
        _fill_all(chunk)
    want_filling(chunk)
    _leave(chunk.superseded_ids, QueueItem.State.SUPERSEDED)


def _fill_all(chunk: WrittenChunk) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM review_queue WHERE collection_id = %s ORDER BY id FOR NO KEY UPDATE",
            [chunk.collection.pk],
        )
        for (queue_id,) in cursor.fetchall():
            _fill(queue_id, chunk.detection_ids)


# Which detections are drawn at random, and where they stand; drawn from the id, so that it is always the same.
_CHANCE = """
LATERAL (SELECT (hashint8extended(d.id, 1) & 2147483647) / 2147483648.0 < %(share)s AS audit,
                (hashint8extended(d.id, 2) & 2147483647) / 2147483648.0 AS place) c
"""


def _lock_doubtful(queue: Queue, below: float) -> list[int]:
    """What may wait under a threshold: undecided, and staying so until the end, as `lock_undecided` says."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT d.id FROM extraction_detection d, {_CHANCE}
            WHERE d.collection_id = %(collection)s AND d.current AND d.decided_label = ''
                AND (d.confidence < %(below)s OR c.audit)
            ORDER BY d.id FOR SHARE OF d
            """,
            {"collection": queue.collection_id, "below": below, "share": settings.MIXCV_AUDIT_SHARE},
        )
        return [row[0] for row in cursor.fetchall()]


def _fill(queue_id: int, detection_ids: Sequence[int]) -> int:
    """Add items for those of some detections that are open, current, and under the queue's threshold.

    They are this transaction's own, or held by it. Beside the doubtful ones goes a random share of all detections, sure
    ones too, strewn among the others: rates of these alone say how good the detector is, where doubtful boxes make it
    look worse.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH new AS (
                INSERT INTO review_queueitem
                    (queue_id, detection_id, image_id, score, reason, state, source, created_at)
                SELECT q.id, d.id, d.image_id,
                    CASE WHEN c.audit THEN c.place * q.doubtful_below ELSE d.confidence END, '', 'waiting',
                    CASE WHEN c.audit THEN 'audit' ELSE 'queue' END, now()
                FROM review_queue q JOIN extraction_detection d ON d.collection_id = q.collection_id, {_CHANCE}
                WHERE q.id = %(queue)s AND q.doubtful_below > 0 AND d.current AND d.decided_label = ''
                    AND (d.confidence < q.doubtful_below OR c.audit) AND d.id = ANY(%(ids)s)
                ON CONFLICT (queue_id, detection_id) DO NOTHING RETURNING 1)
            UPDATE review_queue SET waiting_count = waiting_count + (SELECT count(*) FROM new) WHERE id = %(queue)s
            RETURNING (SELECT count(*) FROM new)
            """,
            {"queue": queue_id, "ids": list(detection_ids), "share": settings.MIXCV_AUDIT_SHARE},
        )
        return int(cursor.fetchone()[0])


def set_threshold(*, queue: Queue, below: float, by: Actor) -> Queue:
    """Let more or fewer boxes wait. Raises InvalidInput outside 0 to 1."""
    if not 0 < below <= 1:
        raise InvalidInput("The threshold must be above 0 and at most 1.", field="doubtful_below")
    if queue.doubtful_below == NO_THRESHOLD:
        raise InvalidInput(
            "This queue has what its retriever finds; change the retriever.", field="doubtful_below"
        )
    with transaction.atomic():
        held = _lock_doubtful(queue, below)
        row = Queue.objects.select_for_update(no_key=True).get(pk=queue.pk)
        row.doubtful_below = below
        row.save(update_fields=["doubtful_below"])
        doubtful = QueueItem.objects.filter(queue=row, state=Waiting, source=QueueItem.Source.QUEUE)
        gone = doubtful.filter(score__gte=below).delete()[0]
        row.waiting_count -= gone
        row.save(update_fields=["waiting_count"])
        _fill(row.pk, held)
        row.retriever.stages = [doubtful_stage(below)]
        row.retriever.save(update_fields=["stages"])
        publish(
            namespace_id=row.namespace_id,
            actor=by.name,
            happenings=[Happening("queue.changed", row.public_id, {"doubtful_below": below})],
        )
    row.refresh_from_db()
    return row


def settle_items(settled: Settled) -> None:
    """Tick off what was decided and bring back what was taken back; inside the decision's transaction."""
    _leave(settled.decided_ids, QueueItem.State.DONE)
    if settled.open_ids:
        # What a newer generation took the place of is nothing to decide any more.
        current = set(
            Detection.objects.filter(pk__in=settled.open_ids, current=True).values_list("pk", flat=True)
        )
        _move([key for key in settled.open_ids if key in current], QueueItem.State.DONE, Waiting)
        gone = [key for key in settled.open_ids if key not in current]
        _move(gone, QueueItem.State.DONE, QueueItem.State.SUPERSEDED)


def _leave(detection_ids: Iterable[int], state: str) -> None:
    keys = list(detection_ids)
    if keys:
        _move(keys, Waiting, state)


def _move(detection_ids: Sequence[int], before: str, after: str) -> None:
    """Move items between states and keep their queues' counts right. Queues are locked before their items."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id FROM review_queue WHERE id IN
                (SELECT queue_id FROM review_queueitem WHERE detection_id = ANY(%s) AND state = %s)
            ORDER BY id FOR NO KEY UPDATE
            """,
            [list(detection_ids), before],
        )
        cursor.execute(
            """
            WITH moved AS (
                UPDATE review_queueitem SET state = %(after)s
                WHERE detection_id = ANY(%(ids)s) AND state = %(before)s RETURNING queue_id),
            counts AS (SELECT queue_id, count(*) AS n FROM moved GROUP BY queue_id)
            UPDATE review_queue q SET
                waiting_count = waiting_count
                    + CASE WHEN %(after)s = 'waiting' THEN n WHEN %(before)s = 'waiting' THEN -n ELSE 0 END,
                done_count = done_count
                    + CASE WHEN %(after)s = 'done' THEN n WHEN %(before)s = 'done' THEN -n ELSE 0 END
            FROM counts WHERE q.id = counts.queue_id
            """,
            {"ids": list(detection_ids), "before": before, "after": after},
        )


def open_queue(*, queue: Queue, user: User) -> Execution:
    """A sitting at a queue: the execution that its verdicts name as their occasion."""
    return Execution.objects.create(
        namespace_id=queue.namespace_id,
        retriever_id=queue.retriever_id,
        mode=Execution.Mode.QUEUE,
        inputs={"queue": queue.public_id},
        actor=person(user).name,
        result_count=max(0, queue.waiting_count),
    )


_NEXT = """
SELECT i.image_id FROM review_queueitem i
WHERE i.queue_id = %(queue)s AND i.state = 'waiting' AND NOT (i.image_id = ANY(%(exclude)s))
  AND NOT EXISTS (SELECT 1 FROM extraction_imagereview r WHERE r.image_id = i.image_id
                  AND r.lease_until > now() AND r.lease_by_id <> %(user)s)
ORDER BY i.score, i.id LIMIT 1
"""
_TRIES = 20


def next_image(*, queue: Queue, user: User, exclude: Sequence[int] = ()) -> Image | None:
    """The image of the first item that nobody else has open, leased to `user`; None when nothing is left.

    `exclude`: images that the page has already, or that were skipped in this sitting.
    """
    passed = list(exclude)
    for _ in range(_TRIES):
        with connection.cursor() as cursor:
            cursor.execute(_NEXT, {"queue": queue.pk, "exclude": passed, "user": user.pk})
            row = cursor.fetchone()
        if row is None:
            return None
        if truth.lease_image(image_id=row[0], user=user):
            return Image.objects.select_related("working").get(pk=row[0])
        passed.append(row[0])  # somebody took it between the two statements
    return None


def renew_lease(*, image: Image, user: User) -> bool:
    """Keep the image; False where another person has taken it over."""
    return truth.lease_image(image_id=image.pk, user=user)


def release_lease(*, images: Sequence[Image], user: User) -> None:
    truth.release_images(image_ids=[image.pk for image in images], user=user)


def skip_image(*, queue: Queue, image: Image, user: User) -> None:
    """Put an image's waiting boxes behind all others of the queue, and let go of it."""
    with transaction.atomic():
        # Before its items, as everybody who moves them locks it.
        Queue.objects.select_for_update(no_key=True).get(pk=queue.pk)
        last = QueueItem.objects.filter(queue=queue, state=Waiting).order_by("-score").first()
        behind = max(1.0, last.score if last else 1.0) + 1e-6
        QueueItem.objects.filter(queue=queue, image=image, state=Waiting).update(score=behind)
        truth.release_images(image_ids=[image.pk], user=user)


def declare_complete(*, image: Image, user: User) -> None:
    """The person saw the whole image: nothing is missing on it."""
    with transaction.atomic():
        truth.declare_complete(image=image)
        publish(
            namespace_id=image.namespace_id,
            actor=person(user).name,
            happenings=[Happening("image.completed", f"img_{image.pk}", {"at": timezone.now().isoformat()})],
        )
