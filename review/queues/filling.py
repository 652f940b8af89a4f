"""Queues that a retriever fills: what it finds and nobody decided yet waits in them, in the retriever's order."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from django.db import connection, transaction

from extraction.runs.hooks import WrittenChunk
from extraction.runs.models import Collection, Detection
from extraction.search.domain import plan_of, selection_of
from extraction.search.models import Retriever, Unit
from extraction.search.stages import Selection
from mixcv.kernel.errors import Conflict, DomainError
from mixcv.kernel.events import Happening, publish
from mixcv.kernel.filters import names_in
from mixcv.kernel.ids import slug
from mixcv.tenancy.actors import Actor
from review.queues.models import Queue

log = logging.getLogger(__name__)
MOST_ITEMS = 100_000
# A queue of a retriever has no threshold: no detection is under 0.
NO_THRESHOLD = 0.0


class NothingWaits(Conflict):
    """The retriever finds no box that is still undecided."""

    code = "nothing_waits"


def open_as_queues(*, retriever: Retriever, inputs: dict[str, Any], by: Actor) -> list[Queue]:
    """A queue for each collection in which the retriever finds undecided boxes, filled with them.

    Opened again, the same queues get what is new. Raises NothingWaits, and what running the retriever raises.
    """
    found = selection_of(namespace=retriever.namespace, plan=plan_of(retriever), inputs=inputs)
    waiting = _waiting(found, retriever.unit)
    if not waiting:
        raise NothingWaits(f"{retriever.name} finds no box that is still undecided.")
    per_collection: dict[int, list[tuple[int, float]]] = {}
    for collection_id, key, score in waiting:
        per_collection.setdefault(collection_id, []).append((key, score))
    collections = Collection.objects.in_bulk(per_collection)
    with transaction.atomic():
        queues = [
            _queue(retriever, collections[key], several=len(per_collection) > 1)
            for key in sorted(per_collection)
        ]
        for queue in queues:
            _add(queue, per_collection[queue.collection_id])
            queue.refresh_from_db(fields=["waiting_count"])
        publish(
            namespace_id=retriever.namespace_id,
            actor=by.name,
            happenings=[
                Happening("queue.filled", one.public_id, {"retriever_id": retriever.public_id})
                for one in queues
            ],
        )
    return queues


def fill_from_retrievers(chunk: WrittenChunk) -> None:
    """Put what retrievers find among new detections into their queues; inside the transaction that wrote them.

    Only of retrievers that filter: a new box has no place in a ranking that was made before it.
    """
    queues = Queue.objects.filter(collection=chunk.collection, doubtful_below=NO_THRESHOLD)
    for queue in queues.select_related("retriever__namespace").order_by("pk"):
        if names_in(queue.retriever.stages):
            continue
        try:
            found = selection_of(
                namespace=queue.retriever.namespace,
                plan=plan_of(queue.retriever),
                narrowed=_among(queue.retriever.unit, chunk),
            )
        except DomainError as error:
            log.warning("%s got nothing of a new chunk: %s", queue.public_id, error.message)
            continue
        if found.hits is None:
            _add(queue, [(key, score) for _, key, score in _waiting(found, queue.retriever.unit)])


def _among(unit: str, chunk: WrittenChunk) -> Any:
    keys = chunk.detection_ids if unit == Unit.DETECTION else chunk.document_ids
    return lambda rows: rows.filter(pk__in=keys)


def _waiting(found: Selection, unit: str) -> list[tuple[int, int, float]]:
    """(collection, detection, score) of undecided boxes. In the search's order; without one, the least sure first."""
    open_boxes = Detection.objects.filter(current=True, decided_label="")
    ranked = found.hits is not None or bool(found.order)
    if not ranked:
        within = "pk__in" if unit == Unit.DETECTION else "document__in"
        rows = open_boxes.filter(**{within: found.rows.order_by().values("pk")})
        return list(
            rows.order_by("confidence", "pk").values_list("collection_id", "pk", "confidence")[:MOST_ITEMS]
        )
    places = {hit.key: place for place, hit in enumerate(found.taken(MOST_ITEMS))}
    if unit == Unit.DETECTION:
        boxes = open_boxes.filter(pk__in=list(places)).values_list("collection_id", "pk", "pk")
    else:
        boxes = open_boxes.filter(document__in=list(places)).values_list("collection_id", "pk", "document_id")
    rows_of_places = boxes.order_by("confidence", "pk")[:MOST_ITEMS]
    return sorted(
        ((collection, key, float(places[of])) for collection, key, of in rows_of_places),
        key=lambda row: row[2],
    )


def _queue(retriever: Retriever, collection: Collection, *, several: bool) -> Queue:
    name = f"{retriever.name} · {collection.name}" if several else retriever.name
    wanted = slug(f"{retriever.public_id}_{collection.pk}")[:130]
    queue, _ = Queue.objects.get_or_create(
        namespace_id=retriever.namespace_id,
        public_id=wanted,
        defaults={
            "collection": collection,
            "retriever": retriever,
            "name": name[:100],
            "doubtful_below": NO_THRESHOLD,
        },
    )
    return queue


def _add(queue: Queue, items: Sequence[tuple[int, float]]) -> None:
    """Let boxes wait that do not yet. The queue is locked before its items."""
    if not items:
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM review_queue WHERE id = %s FOR UPDATE", [queue.pk])
        cursor.execute(
            """
            WITH new AS (
                INSERT INTO review_queueitem
                    (queue_id, detection_id, image_id, score, reason, state, source, created_at)
                SELECT %(queue)s, d.id, d.image_id, t.score, '', 'waiting', 'queue', now()
                FROM unnest(%(keys)s::bigint[], %(scores)s::float8[]) AS t(id, score)
                JOIN extraction_detection d ON d.id = t.id
                WHERE d.collection_id = %(collection)s AND d.current AND d.decided_label = ''
                ON CONFLICT (queue_id, detection_id) DO NOTHING RETURNING 1)
            UPDATE review_queue SET waiting_count = waiting_count + (SELECT count(*) FROM new)
            WHERE id = %(queue)s
            """,
            {
                "queue": queue.pk,
                "collection": queue.collection_id,
                "keys": [key for key, _ in items],
                "scores": [score for _, score in items],
            },
        )
