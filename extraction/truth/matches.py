"""Rows that say why a detection needs no decision of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db import connection

from extraction.runs.domain import Decided
from extraction.truth.finding import Match
from extraction.truth.models import DetectionMatch

# What review calls a box that is right, and one that is no object.
CONFIRMED, REJECTED = "confirmed", "false_positive"


def decided_by(detection_id: int, match: Match) -> Decided:
    """The decision that follows from a match."""
    return Decided(detection_id, CONFIRMED if match.truth_id else REJECTED, match.class_id)


def keep_matches(matches: Mapping[int, Match]) -> None:
    """Write matches by detection, over what was there."""
    DetectionMatch.objects.bulk_create(
        [
            DetectionMatch(
                detection_id=key, truth_id=match.truth_id, rejected_id=match.rejected_id, iou=match.iou
            )
            for key, match in matches.items()
        ],
        update_conflicts=True,
        unique_fields=["detection"],
        update_fields=["truth", "rejected", "iou"],
    )


def drop_matches(detection_ids: Sequence[int]) -> list[int]:
    """Take matches away; the detections that had one. Whoever calls it decides about those."""
    if not detection_ids:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM extraction_detectionmatch WHERE detection_id = ANY(%s) RETURNING detection_id",
            [list(detection_ids)],
        )
        return sorted(row[0] for row in cursor.fetchall())
