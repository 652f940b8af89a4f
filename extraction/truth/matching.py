"""Detections of objects that imported truth knows already: linked to it, and so decided."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db.models import Q

from extraction.runs.domain import Decided, decide_detections
from extraction.runs.hooks import WrittenChunk
from extraction.runs.models import Detection
from extraction.truth.hooks import detections_matched
from extraction.truth.imported import SAME_OBJECT, box_of
from extraction.truth.models import GroundTruthBox
from mixcv.kernel.bulk import update_all
from mixcv.kernel.geometry import Box, iou

# What review calls a box that is right.
CONFIRMED = "confirmed"


def lock_detections(image_ids: Iterable[int]) -> list[Detection]:
    """The images' open, current detections, locked. Detections are locked before truth."""
    rows = Detection.objects.select_for_update(of=("self",), no_key=True)
    rows = rows.filter(image_id__in=sorted(set(image_ids)), current=True, decided_label="")
    return list(rows.only("image_id", "object_class_id", "cx", "cy", "w", "h").order_by("pk"))


def match_detections(detections: Sequence[Detection]) -> int:
    """Link locked, open detections to imported truth of the same class that they cover by half or more; how many.

    One detection to one object, the best covered first. A linked one is decided: confirmed by the truth.
    Objects that a current detection is linked to, or about which a person decided, are left as they are.
    """
    if not detections:
        return 0
    free = Q(detection=None) | Q(detection__current=False)
    truths = GroundTruthBox.objects.select_for_update(of=("self",)).filter(
        free,
        image_id__in={row.image_id for row in detections},
        origin=GroundTruthBox.Origin.IMPORT,
        state=GroundTruthBox.State.ACTIVE,
        evidence="",
    )
    by_place: dict[tuple[int, int], list[GroundTruthBox]] = {}
    for truth in truths.order_by("pk"):
        by_place.setdefault((truth.image_id, truth.object_class_id), []).append(truth)
    pairs = []
    for row in detections:
        box = Box(row.cx, row.cy, row.w, row.h)
        for truth in by_place.get((row.image_id, row.object_class_id), []):
            covered = iou(box, box_of(truth))
            if covered >= SAME_OBJECT:
                pairs.append((covered, row, truth))
    linked: dict[int, GroundTruthBox] = {}
    used: set[int] = set()
    for _, row, truth in sorted(pairs, key=lambda pair: (-pair[0], pair[1].pk, pair[2].pk)):
        if row.pk not in linked and truth.pk not in used:
            truth.detection_id = row.pk
            linked[row.pk] = truth
            used.add(truth.pk)
    if linked:
        update_all(list(linked.values()), ["detection_id"])
        decide_detections([Decided(key, CONFIRMED, truth.object_class_id) for key, truth in linked.items()])
        for hook in detections_matched:
            hook(sorted(linked))
    return len(linked)


def match_chunk(chunk: WrittenChunk) -> None:
    """New detections against what imports told before them; inside the transaction that writes them."""
    rows = Detection.objects.filter(pk__in=chunk.detection_ids)
    known = rows.filter(image__truth__origin=GroundTruthBox.Origin.IMPORT).values_list("image_id", flat=True)
    images = set(known.distinct())
    if images:
        mine = set(chunk.detection_ids)
        match_detections([row for row in lock_detections(images) if row.pk in mine])
