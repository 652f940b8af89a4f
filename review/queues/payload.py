"""What focus mode's page gets as data: an image with its boxes, the sitting, the progress.

Boxes: [cx, cy, w, h], centre and size in pixels of the upright image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Count, Q

from extraction.truth.models import GroundTruthBox, ImageReview
from mixcv.tenancy.addresses import address
from mixcv.tenancy.models import User
from review.queues.differing import GONE, NEW
from review.queues.models import Queue, QueueItem
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
            "asks": _asks(work),
        },
        "boxes": [_box(box, colours, truth.get(box.id)) for box in work.boxes],
        "missed": [_missed(box) for box in work.missed],
    }


def _asks(work: Work) -> bool:
    """Whether a person must say of this image that nothing is missing: versions are measured on the holdout, so that
    an object which nobody drew would count as wrongly found."""
    if work.queue.kind != Queue.Kind.HOLDOUT:
        return False
    return not ImageReview.objects.filter(image=work.image, declared=True).exists()


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


# What waits beside the doubtful boxes, by the reasons that `differing` writes.
_KINDS = {
    "called otherwise": Q(reason__contains=" called this ") | Q(reason__contains=" calls this "),
    "new": Q(reason=NEW),
    "not found any more": Q(reason=GONE),
    "shown better by another box": Q(reason__startswith="Another box shows "),
}


def differences(queues: Sequence[Queue]) -> dict[int, str]:
    """What waits in queues of later versions, in words, by queue: `60 doubtful, 40 called otherwise, 10 new`.

    Queues in which nothing differs are not in it. One query for any number of queues.
    """
    own = {queue.pk: queue for queue in queues if queue.kind == Queue.Kind.DOUBTFUL}
    waiting = QueueItem.objects.filter(queue__in=own, state=QueueItem.State.WAITING).exclude(reason="")
    numbers = {f"n{at}": Count("pk", filter=one) for at, one in enumerate(_KINDS.values())}
    rows = waiting.order_by().values("queue").annotate(differing=Count("pk"), **numbers)
    return {row["queue"]: _in_words(own[row["queue"]], row) for row in rows}


def _in_words(queue: Queue, row: Any) -> str:
    counts = {"doubtful": queue.waiting_count - row["differing"]}
    counts |= {kind: row[f"n{at}"] for at, kind in enumerate(_KINDS)}
    return ", ".join(f"{number:,} {kind}" for kind, number in counts.items() if number > 0)


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
