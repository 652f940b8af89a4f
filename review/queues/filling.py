"""Queues that a retriever fills: what it finds and nobody decided yet waits in them, in the retriever's order."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from django.db import connection, transaction
from django.db.models import Max

from extraction.runs.hooks import WrittenChunk
from extraction.runs.models import Collection, Detection
from extraction.search.domain import plan_of, selection_of
from extraction.search.models import Retriever, Unit
from extraction.search.stages import Selection
from extraction.search.stages.feature_search import searches_of
from mixcv.celery import app
from mixcv.kernel.errors import Conflict, DomainError
from mixcv.kernel.events import Happening, publish
from mixcv.kernel.filters import names_in
from mixcv.kernel.ids import slug
from mixcv.tenancy.actors import Actor
from review.queues.models import Queue, QueueItem

log = logging.getLogger(__name__)
MOST_ITEMS = 100_000
# A queue that a retriever fills, and that of the holdout, have no threshold: no detection is under 0.
NO_THRESHOLD = 0.0
TASK = "review.fill_queues"


class NothingWaits(Conflict):
    """The retriever finds no box that is still undecided."""

    code = "nothing_waits"


def open_as_queues(*, retriever: Retriever, inputs: dict[str, Any], by: Actor) -> list[Queue]:
    """A queue for each collection in which the retriever finds undecided boxes, filled with them.

    Opened again, the same queues get what is new. Raises NothingWaits, and what running the retriever raises.
    """
    found = selection_of(namespace=retriever.namespace, plan=plan_of(retriever), inputs=inputs)
    waiting = _waiting(found, retriever.unit)
    with transaction.atomic():
        held = lock_undecided(key for _, key, _ in waiting)
        per_collection: dict[int, list[tuple[int, float]]] = {}
        for collection_id, key, score in waiting:
            if key in held:
                per_collection.setdefault(collection_id, []).append((key, score))
        if not per_collection:
            raise NothingWaits(f"{retriever.name} finds no box that is still undecided.")
        collections = Collection.objects.in_bulk(per_collection)
        queues = [
            _queue(retriever, collections[key], several=len(per_collection) > 1)
            for key in sorted(per_collection)
        ]
        for queue in sorted(queues, key=lambda one: one.pk):
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


def want_filling(chunk: WrittenChunk) -> None:
    """Have a task put what retrievers find among new detections into their queues, once these are there for all."""
    queues = Queue.objects.filter(collection=chunk.collection, kind=Queue.Kind.RETRIEVER)
    if chunk.document_ids and any(fills_itself(one.retriever) for one in queues.select_related("retriever")):
        send = partial(app.send_task, TASK, args=[chunk.collection.pk, chunk.document_ids], queue="cpu")
        # A message that is lost leaves the new boxes to the next time that the queue is opened.
        transaction.on_commit(send, robust=True)


def fill_from_retrievers(*, collection_id: int, document_ids: Sequence[int]) -> None:
    """Put what retrievers find among new documents' boxes into their queues. Safe to run twice."""
    queues = Queue.objects.filter(collection=collection_id, kind=Queue.Kind.RETRIEVER)
    for queue in queues.select_related("retriever__namespace").order_by("pk"):
        if not fills_itself(queue.retriever):
            continue
        within = "pk__in" if queue.retriever.unit == Unit.DOCUMENT else "document__in"
        try:
            found = selection_of(
                namespace=queue.retriever.namespace,
                plan=plan_of(queue.retriever),
                narrowed=lambda rows, within=within: rows.filter(**{within: document_ids}),
            )
        except DomainError as error:
            log.warning("%s got nothing of new images: %s", queue.public_id, error.message)
            continue
        waiting = _waiting(found, queue.retriever.unit)
        with transaction.atomic():
            held = lock_undecided(key for _, key, _ in waiting)
            behind = _behind(queue) if found.order else 0.0
            _add(queue, [(key, behind + score) for _, key, score in waiting if key in held])


def fills_itself(retriever: Retriever) -> bool:
    """Whether new boxes come into its queues by themselves: it only filters and sorts, and asks for nothing.

    A new box has no place in a ranking or a choice that was made before it.
    """
    return not names_in(retriever.stages) and all(map(_only_filters, retriever.stages))


def _only_filters(stage: dict[str, Any]) -> bool:
    config = stage["config"]
    parameters = config.get("parameters") or {}
    if config["stage_id"] == "feature_search":
        queries = [one.get("query") for one in searches_of(parameters)]
        return not any(queries) and not parameters.get("final_top_k")
    return config["stage_id"] in {"attribute_filter", "sort_attribute"}


def _behind(queue: Queue) -> float:
    """The score behind all that wait: an order that was made before has no place for new boxes."""
    last = QueueItem.objects.filter(queue=queue).aggregate(last=Max("score"))["last"]
    return 0.0 if last is None else float(last) + 1


def lock_undecided(keys: Iterable[int]) -> set[int]:
    """Those of some boxes that are undecided, and stay so until the end of the transaction. Before the queues.

    A verdict that is not there for all yet is waited for; one that comes later waits, and then finds the items.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM extraction_detection WHERE id = ANY(%s) AND current AND decided_label = ''"
            " ORDER BY id FOR SHARE",
            [sorted(set(keys))],
        )
        return {row[0] for row in cursor.fetchall()}


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
            "kind": Queue.Kind.RETRIEVER,
            "doubtful_below": NO_THRESHOLD,
        },
    )
    return queue


def _add(queue: Queue, items: Sequence[tuple[int, float]]) -> None:
    """Let boxes wait that do not yet. They are held by `lock_undecided`; the queue is locked before its items."""
    if not items:
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM review_queue WHERE id = %s FOR NO KEY UPDATE", [queue.pk])
        if cursor.fetchone() is None:
            return  # taken away meanwhile
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


class NotRemovable(Conflict):
    """A collection's own queue goes with its collection."""

    code = "not_removable"


def remove_queue(*, queue: Queue, by: Actor) -> None:
    """Take away a queue that somebody opened; verdicts and the retriever stay. Raises NotRemovable for a collection's
    own."""
    if queue.kind == Queue.Kind.DOUBTFUL:
        raise NotRemovable(f"{queue.name} belongs to its collection and goes with it.")
    with transaction.atomic():
        queue = Queue.objects.select_for_update().get(pk=queue.pk)
        publish(
            namespace_id=queue.namespace_id,
            actor=by.name,
            happenings=[Happening("queue.deleted", queue.public_id, {"name": queue.name})],
        )
        queue.delete()
