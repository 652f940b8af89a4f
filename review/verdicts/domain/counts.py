"""The counts that statistics read: written with each change, folded by a task."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date

from django.db import connection, transaction

from review.verdicts.models import Annotation, AnnotationCount

# namespace, collection, day, label, class, extractor version, source
Key = tuple[int, int | None, date, str, int | None, int | None, str]
FOLD_AT_ONCE = 100_000
_KEY = "namespace_id, collection_id, day, label, object_class_id, extractor_version_id, source"


def count_key(row: Annotation) -> Key | None:
    """What a live annotation counts for; None of a deleted one."""
    if row.deleted_at is not None:
        return None
    return (
        row.namespace_id,
        row.collection_id,
        row.created_at.astimezone(UTC).date(),
        row.label,
        row.predicted_class_id or row.object_class_id,
        row.extractor_version_id,
        row.source,
    )


class Tally:
    """What one call adds to and takes from the counts."""

    def __init__(self) -> None:
        self._changes: Counter[Key] = Counter()

    def take(self, row: Annotation) -> None:
        if key := count_key(row):
            self._changes[key] -= 1

    def add(self, row: Annotation) -> None:
        if key := count_key(row):
            self._changes[key] += 1

    def write(self) -> None:
        """Append the changes as rows of their own: no other writer's rows are touched or waited for."""
        AnnotationCount.objects.bulk_create(
            AnnotationCount(
                namespace_id=namespace,
                collection_id=collection,
                day=day,
                label=label,
                object_class_id=named,
                extractor_version_id=version,
                source=source,
                n=n,
            )
            for (namespace, collection, day, label, named, version, source), n in self._changes.items()
            if n
        )


def fold_counts(*, at_most: int = FOLD_AT_ONCE) -> int:
    """Add appended changes to the one row of their key. Returns how many were folded; 0 where another does it now.

    One statement: a reader sees the sum before or after, never half of it.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended('annotation counts', 0))")
        if not cursor.fetchone()[0]:
            return 0
        cursor.execute(
            f"""
            WITH gone AS (
                DELETE FROM review_annotationcount WHERE id IN (
                    SELECT id FROM review_annotationcount WHERE NOT folded ORDER BY id LIMIT %s)
                RETURNING {_KEY}, n),
            folded AS (
                INSERT INTO review_annotationcount ({_KEY}, n, folded)
                SELECT {_KEY}, sum(n), true FROM gone GROUP BY {_KEY}
                ON CONFLICT ({_KEY}) WHERE folded
                DO UPDATE SET n = review_annotationcount.n + excluded.n)
            SELECT count(*) FROM gone
            """,
            [at_most],
        )
        return int(cursor.fetchone()[0])
