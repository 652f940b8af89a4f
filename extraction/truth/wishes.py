"""Wishes that images be matched again: appended by those who change what is known, taken by a task."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection, transaction
from django.db.models import QuerySet

from extraction.runs.models import Document
from mixcv.celery import app

TASK = "extraction.truth.match"


def wish_matches(image_ids: Iterable[int], *, looks: int = 2) -> None:
    """Have images matched again soon, once this transaction holds: those with so many looks at them, or held out.

    Rows are only appended: nobody waits for a lock. A message that is lost leaves them to the sweep.
    """
    images = sorted(set(image_ids))
    if not images:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO extraction_matchwish (image_id)
            SELECT m.id FROM extraction_image m WHERE m.id = ANY(%s) AND (m.split = 'holdout' OR %s <=
                (SELECT coalesce(sum(x.generation), 0) FROM extraction_document x WHERE x.image_id = m.id))
            ORDER BY m.id
            """,
            [images, looks],
        )
        wished = cursor.rowcount
    if wished:
        transaction.on_commit(_send, robust=True)


def _send() -> None:
    app.send_task(TASK, queue="cpu", expires=30)


def wish_for_leaving(documents: QuerySet[Document]) -> None:
    """What was matched to an object that these documents had, or waits for the holdout, is looked at again."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO extraction_matchwish (image_id)
            SELECT DISTINCT x.image_id FROM extraction_document x JOIN extraction_image m ON m.id = x.image_id
            WHERE x.id = ANY(%s) AND (m.split = 'holdout' OR EXISTS (
                SELECT 1 FROM extraction_detection d WHERE d.document_id = x.id AND d.decided_label <> ''))
            """,
            [list(documents.values_list("pk", flat=True))],
        )


def take_wishes(limit: int) -> tuple[int, list[int]]:
    """Take up to `limit` wishes that nobody else takes: how many, and their images by key. In a transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM extraction_matchwish WHERE id IN (
                SELECT id FROM extraction_matchwish ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)
            RETURNING image_id
            """,
            [limit],
        )
        rows = cursor.fetchall()
    return len(rows), sorted({row[0] for row in rows})
