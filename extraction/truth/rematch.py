"""Detections matched anew where what is known of their images has changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db import transaction

from extraction.runs.domain import Decided, decide_detections
from extraction.runs.models import Detection
from extraction.truth.domain import refresh_completeness
from extraction.truth.finding import Match, find_matches
from extraction.truth.hooks import Rematched, images_rematched, images_weighed
from extraction.truth.matches import decided_by, drop_matches, keep_matches
from extraction.truth.matching import link_imported
from extraction.truth.models import DetectionMatch, ImageReview
from extraction.truth.wishes import take_wishes

# Wishes in one transaction. Who decides on one of their images waits for it: seen was 0.01 s an image of 60 boxes.
AT_ONCE = 50


def rematch(*, limit: int = AT_ONCE) -> int:
    """Take wishes and match their images' detections anew; how many wishes. Safe to run at any time, by several.

    Locked are the wishes, which nobody waits for, then the detections by key, then as everybody does.
    """
    with transaction.atomic():
        number, images = take_wishes(limit)
        if images:
            _match_anew(images)
    return number


def _match_anew(images: list[int]) -> None:
    rows = _lock_current(images)
    known = {row.detection_id: row for row in DetectionMatch.objects.filter(detection_id__in=list(rows))}
    linked = link_imported([row for row in rows.values() if not row.decided_label])
    free = [key for key, row in rows.items() if (not row.decided_label or key in known) and key not in linked]
    wanted = find_matches(free, images)
    decided = [decided_by(key, match) for key, match in wanted.items() if _differs(rows[key], match)]
    opened = sorted(key for key in known if key not in wanted)
    decide_detections([*decided, *(Decided(key, "", None) for key in opened)])
    drop_matches(opened)
    keep_matches({key: match for key, match in wanted.items() if not _same(known.get(key), match)})
    changed = Rematched(images, sorted([*linked, *(one.detection_id for one in decided)]), opened)
    for hook in images_rematched:
        hook(changed)
    refresh_completeness(_to_weigh(images, {rows[key].image_id for key in opened}))
    for hook in images_weighed:
        hook(changed)


def _lock_current(images: Sequence[int]) -> dict[int, Detection]:
    rows = Detection.objects.select_for_update(of=("self",), no_key=True)
    rows = rows.filter(image_id__in=images, current=True).order_by("pk")
    needed = ("image_id", "object_class_id", "cx", "cy", "w", "h", "decided_label", "decided_class_id")
    return {row.pk: row for row in rows.only(*needed)}


def _to_weigh(images: Iterable[int], opened: set[int]) -> list[int]:
    """Images that may be complete now, and those that a detection was opened on.

    An image that was reviewed whole stays so when a later version finds something new on it.
    """
    whole = [ImageReview.Completeness.COMPLETE, ImageReview.Completeness.VERIFIED_EMPTY]
    reviewed = ImageReview.objects.filter(image_id__in=images, completeness__in=whole)
    done = set(reviewed.values_list("image_id", flat=True))
    return [key for key in images if key not in done or key in opened]


def _differs(row: Detection, match: Match) -> bool:
    wanted = decided_by(row.pk, match)
    return (row.decided_label, row.decided_class_id) != (wanted.label, wanted.class_id)


def _same(row: DetectionMatch | None, match: Match) -> bool:
    return row is not None and (row.truth_id, row.rejected_id, row.iou) == (
        match.truth_id,
        match.rejected_id,
        match.iou,
    )
