"""What focus mode's page gets as data: an image with its boxes, the sitting, the progress.

Boxes: [cx, cy, w, h], centre and size in pixels of the upright image.
"""

from __future__ import annotations

from typing import Any

from extraction.truth.models import GroundTruthBox
from mixcv.tenancy.addresses import address
from mixcv.tenancy.models import User
from review.queues.models import Queue
from review.queues.queries import BoxView, Progress, Work, class_choices, pace, recent_decisions
from review.verdicts.models import Label

SCORES = 5
RECENT = 8


def work_data(work: Work, colours: dict[str, int]) -> dict[str, Any]:
    """`colours` by class name, for the classes that a box's scores name."""
    namespace, image = work.queue.namespace, work.image
    corrected = [box.id for box in work.boxes if box.decided_label == Label.CORRECTED]
    truth = {box.detection_id: box for box in _truth_of(corrected)}
    return {
        "image": {
            "id": image.pk,
            "width": image.width,
            "height": image.height,
            "name": work.document.slug,
            "crop": address(namespace, "image-crop", image.pk),
            "whole": work.whole,
        },
        "boxes": [_box(box, colours, truth.get(box.id)) for box in work.boxes],
        "missed": [_missed(box) for box in work.missed],
    }


def _truth_of(detection_ids: list[int]) -> list[GroundTruthBox]:
    """Where corrected boxes really lie."""
    return list(GroundTruthBox.objects.filter(detection_id__in=detection_ids)) if detection_ids else []


def _box(box: BoxView, colours: dict[str, int], moved: GroundTruthBox | None) -> dict[str, Any]:
    place = moved or box
    best = sorted(box.class_scores.items(), key=lambda pair: -pair[1])[:SCORES]
    decided = {"name": box.decided_class, "colour": box.decided_colour} if box.decided_class else None
    return {
        "id": box.id,
        "name": box.class_name,
        "colour": box.colour,
        "confidence": box.confidence,
        "box": [place.cx, place.cy, place.w, place.h],
        "scores": [[name, colours.get(name, 0), score] for name, score in best],
        "label": box.decided_label,
        "decided": decided,
        "revision": box.revision,
        "waits": box.waits,
        "reason": box.reason,
    }


def _missed(box: GroundTruthBox) -> dict[str, Any]:
    named = {"name": box.object_class.name, "colour": box.object_class.colour}
    return {
        **named,
        "id": None,
        "box": [box.cx, box.cy, box.w, box.h],
        "label": "missed",
        "decided": named,
        "annotation": box.evidence,
    }


def progress_data(progress: Progress) -> dict[str, Any]:
    return {
        "done": progress.done,
        "total": progress.total,
        "pace": progress.per_minute,
        "seconds_left": progress.seconds_left,
    }


def colours_of(queue: Queue) -> dict[str, int]:
    return {str(one["name"]): int(str(one["colour"])) for one in class_choices(queue)}


def sitting_data(queue: Queue, user: User, execution_ref: str) -> dict[str, Any]:
    """What holds for the whole page: classes to choose from, the last decisions (oldest first), the progress."""
    recent = [
        {
            "annotation_id": one.annotation.public_id,
            "label": one.annotation.label,
            "text": one.text,
            "image": one.annotation.image_id,
            "at": int(one.annotation.updated_at.timestamp() * 1000),
        }
        for one in reversed(recent_decisions(queue, user, RECENT))
    ]
    return {
        "execution": execution_ref,
        "classes": class_choices(queue),
        "recent": recent,
        "progress": progress_data(pace(queue, user)),
    }
