"""Items moving between states, with their queues' counts. Queues are locked before their items, by key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db import connection

from extraction.runs.models import Detection
from review.queues.models import QueueItem
from review.verdicts.domain.effects import Settled

Waiting, Done = QueueItem.State.WAITING, QueueItem.State.DONE


def settle_items(settled: Settled) -> None:
    """Tick off what was decided and bring back what was taken back; inside the decision's transaction."""
    leave(settled.decided_ids, Done)
    if settled.open_ids:
        # What a newer generation took the place of is nothing to decide any more.
        current = set(
            Detection.objects.filter(pk__in=settled.open_ids, current=True).values_list("pk", flat=True)
        )
        move([key for key in settled.open_ids if key in current], Done, Waiting)
        gone = [key for key in settled.open_ids if key not in current]
        move(gone, Done, QueueItem.State.SUPERSEDED)
    _ask_again(settled.decided_ids)


def leave(detection_ids: Iterable[int], state: str) -> None:
    keys = list(detection_ids)
    if keys:
        move(keys, Waiting, state)


def move(detection_ids: Sequence[int], before: str, after: str) -> None:
    """Move detections' items between states and keep their queues' counts right."""
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


def _ask_again(detection_ids: Sequence[int]) -> None:
    """An older look's box is decided all along: it waits again where the answer to this question is taken back."""
    if not detection_ids:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT i.id FROM review_queueitem i JOIN review_queue q ON q.id = i.queue_id
            JOIN extraction_detection d ON d.id = i.detection_id AND d.collection_id <> q.collection_id
            WHERE i.detection_id = ANY(%s) AND i.state = 'done' AND 0 >= (
                SELECT coalesce(sum(CASE WHEN v.takes_back THEN -1 ELSE 1 END), 0)
                FROM review_annotation a JOIN review_annotationversion v ON v.annotation_id = a.id
                WHERE a.detection_id = i.detection_id AND v.decided_at >= i.created_at)
            """,
            [list(detection_ids)],
        )
        items = [row[0] for row in cursor.fetchall()]
        if not items:
            return
        cursor.execute(
            "SELECT id FROM review_queue WHERE id IN (SELECT queue_id FROM review_queueitem WHERE id = ANY(%s))"
            " ORDER BY id FOR NO KEY UPDATE",
            [items],
        )
        cursor.execute(
            """
            WITH moved AS (UPDATE review_queueitem SET state = 'waiting'
                WHERE id = ANY(%s) AND state = 'done' RETURNING queue_id),
            counts AS (SELECT queue_id, count(*) AS n FROM moved GROUP BY queue_id)
            UPDATE review_queue q SET waiting_count = waiting_count + n, done_count = done_count - n
            FROM counts WHERE q.id = counts.queue_id
            """,
            [items],
        )
