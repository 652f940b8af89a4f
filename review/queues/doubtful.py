"""Doubtful boxes: those under a queue's threshold, and a share drawn at random beside them."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings
from django.db import connection

from review.queues.models import Queue

# Which detections are drawn at random, and where they stand; drawn from the id, so that it is always the same.
_CHANCE = """
LATERAL (SELECT (hashint8extended(d.id, 1) & 2147483647) / 2147483648.0 < %(share)s AS audit,
                (hashint8extended(d.id, 2) & 2147483647) / 2147483648.0 AS place) c
"""


def lock_doubtful(queue: Queue, below: float) -> list[int]:
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


def fill_doubtful(queue_ids: Sequence[int], detection_ids: Sequence[int]) -> None:
    """Add items for those of some detections that are open, current, and under their queue's threshold.

    They are this transaction's own, or held by it; the queues are locked. Beside the doubtful ones goes a random share
    of all detections, sure ones too, strewn among the others: rates of these alone say how good the detector is, where
    doubtful boxes make it look worse.
    """
    if not (queue_ids and detection_ids):
        return
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
                WHERE q.id = ANY(%(queues)s) AND q.kind = 'doubtful' AND d.current AND d.decided_label = ''
                    AND (d.confidence < q.doubtful_below OR c.audit) AND d.id = ANY(%(ids)s)
                ON CONFLICT (queue_id, detection_id) DO NOTHING RETURNING queue_id),
            counts AS (SELECT queue_id, count(*) AS n FROM new GROUP BY queue_id)
            UPDATE review_queue q SET waiting_count = waiting_count + n FROM counts WHERE q.id = counts.queue_id
            """,
            {"queues": list(queue_ids), "ids": list(detection_ids), "share": settings.MIXCV_AUDIT_SHARE},
        )
