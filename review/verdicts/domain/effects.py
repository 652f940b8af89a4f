"""What follows from decisions: the detections' state, the truth of their images, the queues."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from extraction.runs.domain import Decided, decide_detections
from extraction.truth.domain import Truth, refresh_completeness, set_truth
from extraction.truth.hooks import Rematched
from extraction.truth.matches import drop_matches
from extraction.truth.wishes import wish_matches
from mixcv.kernel.geometry import Box
from mixcv.kernel.registry import Registry
from review.verdicts.models import VERDICTS, Annotation, Label

_NEEDED = (
    *("public_id", "image_id", "detection_id", "label", "object_class_id"),
    *("cx", "cy", "w", "h", "deleted_at", "decided_at"),
)


@dataclass(frozen=True)
class Settled:
    """Detections that are decided now, and those that are open again."""

    decided_ids: list[int]
    open_ids: list[int]


# Called inside the transaction of the decision; the queues tick their items off here.
detections_settled: Registry[Callable[[Settled], None]] = Registry("detections settled")


def settle_matched(detection_ids: list[int]) -> None:
    """Imported truth decided about these detections: nobody needs to."""
    for hook in detections_settled:
        hook(Settled(detection_ids, []))


def settle_rematched(changed: Rematched) -> None:
    """Another look at the images decided about detections, or does so no more."""
    if changed.decided_ids or changed.open_ids:
        for hook in detections_settled:
            hook(Settled(changed.decided_ids, changed.open_ids))


def apply_decisions(*, rows: Sequence[Annotation]) -> None:
    """Bring detections, truth, queues and completeness into line with the annotations about `rows`' detections.

    Between two people the latest decision stands, and the box is marked as disputed where they differ. Labels of the
    vocabulary have no effect. What other looks at the images say is matched anew, soon after.
    """
    rows = [row for row in rows if row.label in Label.values]
    if not rows:
        return
    detection_ids = sorted({row.detection_id for row in rows if row.detection_id is not None})
    mine = {row.pk: row for row in rows if row.detection_id is not None}
    others = Annotation.objects.filter(detection_id__in=detection_ids, deleted_at=None, label__in=VERDICTS)
    live = [row for row in mine.values() if row.deleted_at is None]
    live += others.exclude(pk__in=list(mine)).only(*_NEEDED)
    by_detection: dict[int, list[Annotation]] = {key: [] for key in detection_ids}
    for row in sorted(live, key=lambda one: (one.decided_at, one.pk)):
        by_detection[row.detection_id or 0].append(row)
    truths, decided = [], []
    images = {row.detection_id: row.image_id for row in rows}
    for key, decisions in by_detection.items():
        if decisions:
            last = decisions[-1]
            decided.append(Decided(key, last.label, last.object_class_id))
            truths.append(_truth(last, key, disputed=any(_differ(last, other) for other in decisions[:-1])))
        else:
            decided.append(Decided(key, "", None))
            truths.append(Truth(images[key], key, "", None, None))
    truths += [_truth(row, None) for row in {r.pk: r for r in rows if r.detection_id is None}.values()]
    decide_detections(decided)
    drop_matches(detection_ids)
    set_truth(truths)
    settled = Settled(
        [d.detection_id for d in decided if d.label], [d.detection_id for d in decided if not d.label]
    )
    for hook in detections_settled:
        hook(settled)
    refresh_completeness(row.image_id for row in rows)
    wish_matches({row.image_id for row in rows if row.detection_id is not None})
    # A drawn object is held by no detection: who writes some at this moment would not see it, nor be seen.
    wish_matches({row.image_id for row in rows if row.detection_id is None}, looks=1)


def _truth(row: Annotation, detection_id: int | None, *, disputed: bool = False) -> Truth:
    gone = row.deleted_at is not None or row.label == Label.FALSE_POSITIVE
    box = None
    if not gone and row.cx is not None and row.cy is not None and row.w is not None and row.h is not None:
        box = Box(row.cx, row.cy, row.w, row.h)
    return Truth(
        row.image_id, detection_id, row.public_id, None if gone else row.object_class_id, box, disputed
    )


def _differ(a: Annotation, b: Annotation) -> bool:
    """Whether two decisions say different things of what is there (its class, or that it is there)."""
    return a.object_class_id != b.object_class_id
