"""Detections of objects that are known already, when they are written or when an import tells of the objects.

Imported truth that no detection shows is linked to its detection; what another look decided is matched to that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db.models import Q

from extraction.runs.domain import Decided, decide_detections
from extraction.runs.hooks import WrittenChunk
from extraction.runs.models import Detection, Document
from extraction.truth.finding import find_matches
from extraction.truth.hooks import detections_matched
from extraction.truth.imported import box_of
from extraction.truth.matches import CONFIRMED, decided_by, drop_matches, keep_matches
from extraction.truth.models import GroundTruthBox
from extraction.truth.overlap import SAME_OBJECT
from extraction.truth.wishes import wish_matches
from mixcv.kernel.bulk import update_all
from mixcv.kernel.geometry import Box, iou


def lock_detections(image_ids: Iterable[int]) -> list[Detection]:
    """The images' open, current detections, locked. Detections are locked before truth."""
    rows = Detection.objects.select_for_update(of=("self",), no_key=True)
    rows = rows.filter(image_id__in=sorted(set(image_ids)), current=True, decided_label="")
    return list(rows.only("image_id", "object_class_id", "cx", "cy", "w", "h").order_by("pk"))


def match_detections(detections: Sequence[Detection]) -> int:
    """Link locked, open detections to imported truth; how many. What follows for review is told to it."""
    linked = link_imported(detections)
    if linked:
        for hook in detections_matched:
            hook(sorted(linked))
    return len(linked)


def link_imported(detections: Sequence[Detection]) -> set[int]:
    """Link locked, open detections to imported truth of the same class that they cover by half or more; which.

    One detection to one object, the best covered first. A linked one is decided: confirmed by the truth.
    Objects that a current detection is linked to, or about which a person decided, are left as they are.
    """
    if not detections:
        return set()
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
    return set(linked)


def match_chunk(chunk: WrittenChunk) -> None:
    """New detections against what is known of their images; inside the transaction that writes them.

    What somebody decides at this very moment is seen by the matching that is wished for here.
    """
    # A generation that is no longer current keeps what people decided, and no more.
    decide_detections([Decided(key, "", None) for key in drop_matches(chunk.superseded_ids)])
    rows = Detection.objects.filter(pk__in=chunk.detection_ids)
    known = rows.filter(image__truth__origin=GroundTruthBox.Origin.IMPORT).values_list("image_id", flat=True)
    mine, images = set(chunk.detection_ids), set(known.distinct())
    if images:
        match_detections([row for row in lock_detections(images) if row.pk in mine])
    places = dict(rows.filter(decided_label="").values_list("pk", "image_id"))
    found = find_matches(places, places.values())
    decide_detections([decided_by(key, match) for key, match in found.items()])
    keep_matches(found)
    documents = Document.objects.filter(pk__in=chunk.document_ids)
    wish_matches(documents.values_list("image_id", flat=True))
