"""What review writes on detections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection


@dataclass(frozen=True, slots=True)
class Decided:
    """The decision that holds for a detection now; an empty label: none does."""

    detection_id: int
    label: str
    class_id: int | None


def decide_detections(decided: Sequence[Decided]) -> dict[int, int]:
    """Set label and class of detections in one statement and count their revision up. Returns the new revisions."""
    if not decided:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE extraction_detection d
            SET decided_label = v.label, decided_class_id = v.class_id, revision = d.revision + 1
            FROM unnest(%s::bigint[], %s::text[], %s::bigint[]) AS v(id, label, class_id)
            WHERE d.id = v.id RETURNING d.id, d.revision
            """,
            [[d.detection_id for d in decided], [d.label for d in decided], [d.class_id for d in decided]],
        )
        return dict(cursor.fetchall())
