"""Verbs of queues: who gets which image next, and what waits at all."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from extraction.intake.models import Image
from extraction.runs.hooks import WrittenChunk
from extraction.runs.models import Collection, Document
from extraction.search.domain import ensure_retriever
from extraction.search.models import Execution
from extraction.truth import domain as truth
from mixcv.kernel.errors import InvalidInput
from mixcv.kernel.events import Happening, publish
from mixcv.kernel.ids import slug
from mixcv.tenancy.actors import Actor, person
from mixcv.tenancy.models import User
from review.queues.differing import put_differing
from review.queues.doubtful import fill_doubtful, lock_doubtful
from review.queues.filling import want_filling
from review.queues.following import lock_for_whole_image
from review.queues.holdout import ensure_holdout_queue as ensure_holdout_queue
from review.queues.holdout import put_holdout_boxes, put_whole_images
from review.queues.items import Waiting, leave
from review.queues.items import settle_items as settle_items
from review.queues.models import Queue, QueueItem


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
    """Put new detections that are doubtful, say something else than is known, or lie on the holdout, into the
    collection's queues; inside the transaction that wrote them.

    What retrievers find among them follows after it, and so does what this version does not find any more.
    """
    queues = _lock_queues(chunk)
    leave(chunk.superseded_ids, QueueItem.State.SUPERSEDED)
    if chunk.document_ids:
        documents = Document.objects.filter(pk__in=chunk.document_ids)
        images = sorted(set(documents.values_list("image_id", flat=True)))
        doubtful = [key for key, kind in queues if kind == Queue.Kind.DOUBTFUL]
        holdout = [key for key, kind in queues if kind == Queue.Kind.HOLDOUT]
        fill_doubtful(doubtful, chunk.detection_ids)
        put_differing(queue_ids=doubtful, image_ids=images, detection_ids=chunk.detection_ids)
        put_holdout_boxes(queue_ids=holdout, image_ids=images, detection_ids=chunk.detection_ids)
        put_whole_images(queue_ids=holdout, image_ids=images)
    want_filling(chunk)


def _lock_queues(chunk: WrittenChunk) -> list[tuple[int, str]]:
    """The collection's queues with their kinds, locked together with all in which something superseded waits."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id, kind, collection_id FROM review_queue WHERE collection_id = %s OR id IN (
                SELECT queue_id FROM review_queueitem WHERE detection_id = ANY(%s) AND state = 'waiting')
            ORDER BY id FOR NO KEY UPDATE
            """,
            [chunk.collection.pk, chunk.superseded_ids],
        )
        return [
            (key, kind) for key, kind, collection in cursor.fetchall() if collection == chunk.collection.pk
        ]


def set_threshold(*, queue: Queue, below: float, by: Actor) -> Queue:
    """Let more or fewer boxes wait. Raises InvalidInput outside 0 to 1."""
    if not 0 < below <= 1:
        raise InvalidInput("The threshold must be above 0 and at most 1.", field="doubtful_below")
    if queue.kind == Queue.Kind.HOLDOUT:
        raise InvalidInput("This queue has all that is open on the holdout.", field="doubtful_below")
    if queue.kind == Queue.Kind.RETRIEVER:
        raise InvalidInput(
            "This queue has what its retriever finds; change the retriever.", field="doubtful_below"
        )
    with transaction.atomic():
        held = lock_doubtful(queue, below)
        row = Queue.objects.select_for_update(no_key=True).get(pk=queue.pk)
        row.doubtful_below = below
        row.save(update_fields=["doubtful_below"])
        doubtful = QueueItem.objects.filter(
            queue=row, state=Waiting, source=QueueItem.Source.QUEUE, reason=""
        )
        gone = doubtful.filter(score__gte=below).delete()[0]
        row.waiting_count -= gone
        row.save(update_fields=["waiting_count"])
        fill_doubtful([row.pk], held)
        row.retriever.stages = [doubtful_stage(below)]
        row.retriever.save(update_fields=["stages"])
        publish(
            namespace_id=row.namespace_id,
            actor=by.name,
            happenings=[Happening("queue.changed", row.public_id, {"doubtful_below": below})],
        )
    row.refresh_from_db()
    return row


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
    """The person saw the whole image: nothing is missing on it. Where it waits as a whole, it is ticked off."""
    with transaction.atomic():
        queues = lock_for_whole_image(image.pk)
        truth.declare_complete(image=image)
        put_whole_images(queue_ids=queues, image_ids=[image.pk])
        publish(
            namespace_id=image.namespace_id,
            actor=person(user).name,
            happenings=[Happening("image.completed", f"img_{image.pk}", {"at": timezone.now().isoformat()})],
        )
