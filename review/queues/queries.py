"""Reads of queues: what waits, and all that a reviewer needs of one image."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise

from django.db import connection
from django.db.models import Count, Q
from django.utils import timezone

from extraction.classes.models import ObjectClass
from extraction.intake.models import Image
from extraction.runs.models import Batch, Detection, Document
from extraction.truth.models import GroundTruthBox
from mixcv.tenancy.actors import person
from mixcv.tenancy.models import Namespace, User
from review.queues.holdout import holdout_left
from review.queues.models import Queue, QueueItem
from review.verdicts.models import Annotation, Label, Source

THUMBS = 6
PACE_MINUTES = 10
PACE_VERDICTS = 5
PAUSE_SECONDS = 30.0


@dataclass(frozen=True)
class QueueCard:
    """A queue as the list shows it. `thumbs`: the first waiting items, with detection and image.

    `held_out`: on the card of a collection's own queue, how many of its held-out images are not reviewed whole; None
    where it has none. `holdout_queue`: the queue that completes them, where there is one.
    """

    queue: Queue
    waiting: int
    done: int
    thumbs: list[QueueItem]
    running: bool
    held_out: int | None = None
    holdout_queue: Queue | None = None

    @property
    def problem(self) -> str:
        """Why nothing can come here: the detector is not up, in words."""
        version = self.queue.collection.extractor_version
        if version is None or version.state in {version.State.READY, version.State.DEPLOYING}:
            return ""
        return version.error or f"{version} is {version.state}."


MOST_COUNTED = 20_000


def waiting_queues(namespace: Namespace) -> list[QueueCard]:
    """All queues of a namespace, those with most waiting first; the same number of queries for any number."""
    queues = list(
        Queue.objects.filter(namespace=namespace)
        .select_related("collection__extractor_version__extractor", "retriever")
        .order_by("-waiting_count", "name", "pk")
    )
    thumbs = _first_items([q.pk for q in queues])
    running = set(
        Batch.objects.filter(
            namespace=namespace, state__in=[Batch.State.OPEN, Batch.State.PROCESSING]
        ).values_list("collections", flat=True)
    )
    left = holdout_left([q.collection_id for q in queues])
    completing = {q.collection_id: q for q in queues if q.kind == Queue.Kind.HOLDOUT}
    return [
        QueueCard(
            q,
            max(0, q.waiting_count),
            max(0, q.done_count),
            thumbs.get(q.pk, []),
            q.collection_id in running and _is_up(q),
            left.get(q.collection_id) if q.kind == Queue.Kind.DOUBTFUL else None,
            completing.get(q.collection_id),
        )
        for q in queues
    ]


def _first_items(queue_ids: list[int]) -> dict[int, list[QueueItem]]:
    """The first waiting boxes of each queue: one look into its index each, however many wait."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT i.id FROM unnest(%s::bigint[]) AS q(id), LATERAL (
                SELECT i.id FROM review_queueitem i
                WHERE i.queue_id = q.id AND i.state = 'waiting' AND i.detection_id IS NOT NULL
                ORDER BY i.score, i.id LIMIT %s) i
            """,
            [queue_ids, THUMBS],
        )
        keys = [row[0] for row in cursor.fetchall()]
    rows = QueueItem.objects.filter(pk__in=keys).select_related("detection__object_class", "image")
    found: dict[int, list[QueueItem]] = {}
    for item in rows.order_by("score", "pk"):
        found.setdefault(item.queue_id, []).append(item)
    return found


def _is_up(queue: Queue) -> bool:
    version = queue.collection.extractor_version
    return version is not None and version.state == version.State.READY


@dataclass(frozen=True)
class BoxView:
    """A detection as the reviewer sees it; centre, width and height in pixels of the upright image."""

    id: int
    ordinal: int
    class_name: str
    colour: int
    confidence: float
    cx: float
    cy: float
    w: float
    h: float
    class_scores: dict[str, float]
    decided_label: str
    decided_class: str
    decided_colour: int
    revision: int
    waits: bool
    reason: str


@dataclass(frozen=True)
class Progress:
    """Where the reviewer stands: boxes done in the queue and waiting, per minute over the last ten, seconds left."""

    done: int
    waiting: int
    per_minute: float | None
    seconds_left: float | None

    @property
    def total(self) -> int:
        return self.done + self.waiting


@dataclass(frozen=True)
class Work:
    """One image of a queue: its boxes by where they wait, what people drew on it, and the progress.

    `whole`: it waits as a whole, for somebody to say that nothing is missing.
    """

    queue: Queue
    image: Image
    document: Document
    boxes: list[BoxView]
    missed: list[GroundTruthBox]
    progress: Progress
    metadata: dict[str, object] = field(default_factory=dict)
    whole: bool = False


def work_on(queue: Queue, image: Image, user: User) -> Work:
    """What a reviewer needs of an image: waiting boxes first by score, then the rest by falling confidence.

    Boxes of an older look are among them where this queue asks about them.
    """
    document = Document.objects.filter(collection_id=queue.collection_id, image=image).order_by("pk").first()
    if document is None:
        raise Document.DoesNotExist(f"{image} has no document in {queue.collection}")
    items = QueueItem.objects.filter(queue=queue, image=image)
    rows = list(items.values_list("detection_id", "score", "state", "source", "reason"))
    waiting: dict[int | None, float] = {
        key: score for key, score, state, _, _ in rows if state == QueueItem.State.WAITING
    }
    whole = None in waiting
    by_chance = {key for key, _, _, source, _ in rows if source == QueueItem.Source.AUDIT}
    reasons = {key: reason for key, _, _, _, reason in rows if reason}
    asked = [key for key, _, state, _, _ in rows if key and state != QueueItem.State.SUPERSEDED]
    detections = (
        Detection.objects.filter(
            Q(collection_id=queue.collection_id) | Q(pk__in=asked), image=image, current=True
        )
        .select_related("object_class", "decided_class", "extractor_version")
        .order_by("rank", "pk")
    )
    boxes = [
        _box(
            queue,
            detection,
            waits=detection.pk in waiting,
            reason=reasons.get(detection.pk)
            or reason_of(queue, detection, by_chance=detection.pk in by_chance),
        )
        for detection in detections
    ]
    boxes.sort(key=lambda box: (not box.waits, waiting.get(box.id, 0.0), -box.confidence))
    missed = GroundTruthBox.objects.filter(image=image, detection=None).exclude(
        state=GroundTruthBox.State.REMOVED
    )
    return Work(
        queue,
        image,
        document,
        boxes,
        list(missed.select_related("object_class")),
        pace(queue, user),
        document.metadata,
        whole,
    )


def _box(queue: Queue, detection: Detection, *, waits: bool, reason: str) -> BoxView:
    decided = detection.decided_class
    return BoxView(
        id=detection.pk,
        ordinal=detection.ordinal,
        class_name=detection.object_class.name,
        colour=detection.object_class.colour,
        confidence=detection.confidence,
        cx=detection.cx,
        cy=detection.cy,
        w=detection.w,
        h=detection.h,
        class_scores=detection.class_scores or {},
        decided_label=detection.decided_label,
        decided_class=decided.name if decided else "",
        decided_colour=decided.colour if decided else 0,
        revision=detection.revision,
        waits=waits,
        reason=reason,
    )


def source_of(queue: Queue, detection_id: int | None) -> str:
    """Whether a box is looked at by chance (audit) or because it is doubtful."""
    items = QueueItem.objects.filter(queue=queue, detection=detection_id, source=QueueItem.Source.AUDIT)
    return Source.AUDIT if detection_id is not None and items.exists() else Source.QUEUE


def reason_of(queue: Queue, detection: Detection, *, by_chance: bool = False) -> str:
    """Why a box is here, in one line with its number."""
    number = f"{detection.confidence:.2f}"
    if by_chance:
        return f"{number} · drawn at random"
    scores = sorted((detection.class_scores or {}).items(), key=lambda pair: -pair[1])
    if len(scores) > 1 and scores[1][1] >= scores[0][1] / 2:
        return f"{number} · between {scores[0][0]} and {scores[1][0]}"
    if detection.confidence < queue.doubtful_below:
        return f"{number} · under {queue.doubtful_below:.2f}"
    if queue.kind == Queue.Kind.HOLDOUT:
        return f"{number} · on a held-out image"
    if queue.kind == Queue.Kind.RETRIEVER:
        return f"{number} · found by {queue.retriever.name}"
    return f"{number} · sure enough"


def class_choices(queue: Queue, *, limit: int = 500) -> list[dict[str, object]]:
    """Classes to choose from: name and colour. The queue's detector's own first, then commonest in the truth first."""
    version = queue.collection.extractor_version
    own = set(version.class_names) if version else set()
    rows = (
        ObjectClass.objects.filter(namespace_id=queue.namespace_id, merged_into=None)
        .exclude(state=ObjectClass.State.RETIRED)
        .annotate(uses=Count("truth"))
        .order_by("-uses", "name")
    )
    ordered = sorted(rows[:limit], key=lambda row: row.name not in own)
    return [{"name": row.name, "colour": row.colour} for row in ordered]


def pace(queue: Queue, user: User) -> Progress:
    """Done and waiting of the queue; the user's own pace in it over the last ten minutes, pauses left out."""
    counts = Queue.objects.filter(pk=queue.pk).values_list("done_count", "waiting_count").get()
    mine = Annotation.objects.filter(
        collection_id=queue.collection_id,
        actor=person(user).name,
        updated_at__gte=timezone.now() - timedelta(minutes=PACE_MINUTES),
        deleted_at=None,
    )
    times = list(mine.order_by("updated_at").values_list("updated_at", flat=True))
    done, waiting = max(0, counts[0]), max(0, counts[1])
    if len(times) < PACE_VERDICTS or not waiting:
        return Progress(done, waiting, None, None)
    # A pause is no slow verdict.
    gaps = [min(PAUSE_SECONDS, (b - a).total_seconds()) for a, b in pairwise(times)]
    per_minute = 60 * len(gaps) / max(1.0, sum(gaps))
    return Progress(done, waiting, per_minute, waiting / per_minute * 60)


@dataclass(frozen=True)
class Recent:
    """A line of the log: `label`, its words, and when."""

    annotation: Annotation
    text: str


def recent_decisions(queue: Queue, user: User, limit: int = 4) -> list[Recent]:
    """The reviewer's own last decisions in the queue's collection, newest first."""
    rows = (
        Annotation.objects.filter(
            namespace_id=queue.namespace_id,
            collection_id=queue.collection_id,
            actor=person(user).name,
            deleted_at=None,
        )
        .select_related("object_class", "predicted_class")
        .order_by("-updated_at")[:limit]
    )
    return [Recent(row, decision_text(row)) for row in rows]


def decision_text(row: Annotation) -> str:
    """`Corrected handbag to person`, as the log says it."""
    now = row.object_class.name if row.object_class else ""
    before = row.predicted_class.name if row.predicted_class else ""
    if row.label == Label.CONFIRMED:
        return f"Confirmed {now}"
    if row.label == Label.FALSE_POSITIVE:
        return f"Rejected {before}"
    if row.label == Label.MISSED:
        return f"Added {now}"
    return f"Corrected {before} to {now}" if now != before else f"Adjusted the box of {now}"


def waiting_total(namespace_id: int) -> dict[str, int]:
    """For the navigation: what waits. A box that waits in several queues of its collection counts once."""
    rows = Queue.objects.filter(namespace_id=namespace_id, waiting_count__gt=0)
    by_collection: dict[int, list[tuple[int, int]]] = {}
    for key, collection, number in rows.values_list("pk", "collection", "waiting_count"):
        by_collection.setdefault(collection, []).append((key, number))
    alone = sum(queues[0][1] for queues in by_collection.values() if len(queues) == 1)
    shared = [queues for queues in by_collection.values() if len(queues) > 1]
    return {"review": alone + (_distinct(shared) if shared else 0)}


def _distinct(shared: list[list[tuple[int, int]]]) -> int:
    """Boxes in queues that overlap; where counting would take long, the fullest queue of each collection stands in."""
    if sum(number for queues in shared for _, number in queues) > MOST_COUNTED:
        return sum(max(number for _, number in queues) for queues in shared)
    keys = [key for queues in shared for key, _ in queues]
    items = QueueItem.objects.filter(queue__in=keys, state=QueueItem.State.WAITING)
    whole = Count("image", distinct=True, filter=Q(detection=None))
    found = items.aggregate(boxes=Count("detection", distinct=True), whole=whole)
    return (found["boxes"] or 0) + (found["whole"] or 0)
