"""Recording verdicts: a list in, set-based, each with its own outcome; the single verdict is a list of one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from extraction.classes.domain import ensure_classes
from extraction.classes.models import ObjectClass
from extraction.intake.models import Image
from extraction.runs.models import Detection
from mixcv.kernel.errors import DomainError, NotFound
from mixcv.kernel.events import Happening, publish
from mixcv.kernel.geometry import Box, clip
from mixcv.tenancy.actors import Actor
from mixcv.tenancy.models import Namespace
from review.verdicts.domain.effects import apply_decisions
from review.verdicts.domain.values import Outcome, StaleVerdict, Verdict, check
from review.verdicts.models import Annotation, AnnotationVersion, Label, Source

DECISION_FIELDS = (
    *("label", "object_class_id", "cx", "cy", "w", "h", "confidence", "reasoning", "payload", "metadata"),
    *("actor", "actor_type", "source", "retriever_ref", "execution_ref", "stage_name", "seconds"),
)
SAME_BOX_PX = 0.5


def record_verdicts(
    *, namespace: Namespace, verdicts: Sequence[Verdict], by: Actor, source: str = Source.API
) -> list[Outcome]:
    """Write verdicts with their history, truth and events in one transaction; one outcome each, in order.

    A faulty or stale verdict has its error and costs the others nothing. An actor's second verdict on a detection is a
    new version of the first; a missed object that the same actor drew at the same place with the same class likewise.
    """
    with transaction.atomic():
        detections = lock_detections(
            namespace, [v.detection_id for v in verdicts if v.detection_id is not None]
        )
        images = _images(namespace, verdicts, detections)
        outcomes: list[Outcome | None] = []
        for verdict in verdicts:
            error = check(verdict) or _refusal(verdict, detections, images)
            outcomes.append(Outcome(None, error=error) if error else None)
        open_ = [number for number, outcome in enumerate(outcomes) if outcome is None]
        names = [name for number in open_ if (name := verdicts[number].class_name)]
        classes = _classes(namespace, names)
        drafts = {}
        for number in open_:
            try:
                drafts[number] = _draft(namespace, verdicts[number], detections, images, classes, by, source)
            except DomainError as error:
                outcomes[number] = Outcome(None, error=error)
        for number, outcome in _store(namespace, drafts, by).items():
            outcomes[number] = outcome
    return [outcome for outcome in outcomes if outcome is not None]


def lock_detections(namespace: Namespace, keys: Iterable[int]) -> dict[int, Detection]:
    """Detections by key, locked in the order of their keys against deadlock. All who decide lock these first."""
    rows = (
        Detection.objects.select_for_update(of=("self",))
        .filter(pk__in=set(keys), collection__namespace=namespace)
        .select_related("image", "object_class", "decided_class")
        .order_by("pk")
    )
    return {row.pk: row for row in rows}


def _images(
    namespace: Namespace, verdicts: Iterable[Verdict], detections: dict[int, Detection]
) -> dict[int, Image]:
    images = {detection.image_id: detection.image for detection in detections.values()}
    missing = {v.image_id for v in verdicts if v.image_id is not None} - set(images)
    return images | {row.pk: row for row in Image.objects.filter(namespace=namespace, pk__in=missing)}


def _refusal(
    verdict: Verdict, detections: dict[int, Detection], images: dict[int, Image]
) -> DomainError | None:
    if verdict.detection_id is not None:
        detection = detections.get(verdict.detection_id)
        if detection is None:
            return NotFound("This detection does not exist here.", field="document_id")
        if verdict.revision is not None and verdict.revision != detection.revision:
            return _stale(detection)
    elif verdict.image_id not in images:
        return NotFound("This image does not exist here.", field="document_id")
    return None


def _stale(detection: Detection) -> StaleVerdict:
    last = (
        Annotation.objects.filter(detection=detection, deleted_at=None)
        .select_related("object_class")
        .order_by("-updated_at")
        .first()
    )
    details: dict[str, Any] = {"revision": detection.revision, "label": detection.decided_label}
    if last is None:
        return StaleVerdict(
            "The decision on this box was taken back meanwhile. Decide it again.", details=details
        )
    details |= {
        "by": last.actor,
        "label": last.label,
        "class": last.object_class.name if last.object_class else None,
        "at": last.updated_at.isoformat(),
    }
    label = Label(last.label).label.lower()
    what = f"{label} {details['class']}" if details["class"] else label
    return StaleVerdict(
        f"{last.actor} decided this box meanwhile: {what}. Look again before you decide.", details=details
    )


def _classes(namespace: Namespace, names: list[str]) -> dict[str, ObjectClass]:
    """Classes by name; one that nobody knows yet is proposed. Names that are no class are left out."""
    proper = [name for name in names if 0 < len(name.strip()) <= 200]
    return (
        ensure_classes(namespace=namespace, names=proper, state=ObjectClass.State.PROPOSED) if proper else {}
    )


def _draft(
    namespace: Namespace,
    verdict: Verdict,
    detections: dict[int, Detection],
    images: dict[int, Image],
    classes: dict[str, ObjectClass],
    by: Actor,
    source: str,
) -> Annotation:
    """The annotation as this verdict would have it. Raises InvalidInput for a class or a box that makes no sense."""
    detection = detections.get(verdict.detection_id) if verdict.detection_id is not None else None
    image = detection.image if detection else images[verdict.image_id or 0]
    missed = verdict.label == Label.MISSED
    box = clip(verdict.box, image.width, image.height, field="payload.bbox") if verdict.box else None
    if verdict.class_name is not None and verdict.class_name.strip() not in classes:
        ensure_classes(namespace=namespace, names=[verdict.class_name])  # says what is wrong with the name
    object_class = classes[verdict.class_name.strip()] if verdict.class_name is not None else None
    if detection and not missed:
        object_class = object_class or detection.object_class
        box = box or Box(detection.cx, detection.cy, detection.w, detection.h)
    nothing = verdict.label == Label.FALSE_POSITIVE
    return Annotation(
        namespace=namespace,
        image=image,
        collection_id=detection.collection_id if detection else verdict.collection_id,
        document_id=detection.document_id if detection else verdict.document_id,
        detection=None if missed else detection,
        predicted_class=detection.object_class if detection and not missed else None,
        predicted_confidence=detection.confidence if detection and not missed else None,
        extractor_version_id=detection.extractor_version_id if detection else None,
        label=verdict.label,
        object_class=None if nothing else object_class,
        cx=box.cx if box else None,
        cy=box.cy if box else None,
        w=box.w if box else None,
        h=box.h if box else None,
        confidence=verdict.confidence,
        reasoning=verdict.reasoning,
        payload=verdict.payload or {},
        metadata=verdict.metadata or {},
        actor=by.name,
        actor_type=by.type,
        source=source,
        retriever_ref=verdict.retriever_ref,
        execution_ref=verdict.execution_ref,
        stage_name=verdict.stage_name,
        seconds=verdict.seconds,
    )


def _store(namespace: Namespace, drafts: dict[int, Annotation], by: Actor) -> dict[int, Outcome]:
    """Insert or update annotations, append their versions and events, and apply what follows from them."""
    _queue_up_missed(drafts.values())
    known = _known(drafts.values(), by)
    now = timezone.now()
    new: list[Annotation] = []
    changed: list[Annotation] = []
    outcomes: dict[int, Outcome] = {}
    rows: dict[object, Annotation] = dict(known)
    versions = []
    for number, draft in drafts.items():
        key = _key(draft)
        row = rows.get(key)
        created = row is None
        if row is None:
            row = rows[key] = draft
            row.created_at = row.updated_at = now
            new.append(row)
        else:
            _take_over(row, draft, now)
            if row.pk and row not in changed:
                changed.append(row)
        versions.append((row, row.version, {name: getattr(draft, name) for name in DECISION_FIELDS}))
        outcomes[number] = Outcome(row, created)
    Annotation.objects.bulk_create(new)
    Annotation.objects.bulk_update(
        changed,
        [*(name.removesuffix("_id") for name in DECISION_FIELDS), "version", "updated_at"],
        batch_size=500,
    )
    AnnotationVersion.objects.bulk_create(
        [
            AnnotationVersion(annotation=row, version=version, decided_at=now, **values)
            for row, version, values in versions
        ]
    )
    apply_decisions(rows=[outcome.annotation for outcome in outcomes.values() if outcome.annotation])
    publish(
        namespace_id=namespace.pk,
        actor=by.name,
        happenings=[
            Happening(
                "annotation.created" if version == 1 else "annotation.updated",
                row.public_id,
                _payload(row, version),
            )
            for row, version, _ in versions
        ],
    )
    return outcomes


def _key(draft: Annotation) -> object:
    if draft.detection_id is not None:
        return draft.detection_id
    places = (draft.cx, draft.cy, draft.w, draft.h)
    # Half-pixel steps: a client that repeats a call after a lost answer sends the same numbers.
    steps = tuple(round(place / SAME_BOX_PX) for place in places if place is not None)
    return (draft.image_id, draft.object_class_id, steps)


def _queue_up_missed(drafts: Iterable[Annotation]) -> None:
    """Let two equal calls for a missed object run one after the other: no row exists yet that they could lock."""
    keys = sorted(
        int.from_bytes(
            hashlib.blake2b(repr((_key(d), d.actor)).encode(), digest_size=8).digest(), signed=True
        )
        for d in drafts
        if d.detection_id is None
    )
    if keys:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(k) FROM unnest(%s::bigint[]) AS k ORDER BY k", [keys]
            )


def _known(drafts: Iterable[Annotation], by: Actor) -> dict[object, Annotation]:
    items = list(drafts)
    live = Annotation.objects.select_for_update().filter(actor=by.name, deleted_at=None).order_by("pk")
    found = list(live.filter(detection_id__in=[d.detection_id for d in items if d.detection_id is not None]))
    missed = [d.image_id for d in items if d.detection_id is None]
    if missed:
        found += live.filter(detection=None, label=Label.MISSED, image_id__in=missed)
    return {_key(row): row for row in found}


def _take_over(row: Annotation, draft: Annotation, now: datetime) -> None:
    for name in DECISION_FIELDS:
        setattr(row, name, getattr(draft, name))
    row.version += 1
    row.updated_at = now


def _payload(row: Annotation, version: int) -> dict[str, Any]:
    return {
        "label": row.label,
        "version": version,
        "class_id": row.object_class_id,
        "collection_id": row.collection_id,
        "detection_id": row.detection_id,
        "image_id": row.image_id,
    }
