"""Recording verdicts: a list in, set-based, each with its own outcome; the single verdict is a list of one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Q

from extraction.classes.domain import ensure_classes
from extraction.classes.models import ObjectClass
from extraction.intake.models import Image
from extraction.runs.models import Collection, Detection
from mixcv.kernel.errors import DomainError, NotFound
from mixcv.kernel.geometry import Box, clip
from mixcv.tenancy.actors import Actor
from mixcv.tenancy.models import Namespace
from review.verdicts.domain.labels import own_labels
from review.verdicts.domain.ledger import VALUE_FIELDS, Ledger, image_of, lock_detections, lock_images
from review.verdicts.domain.values import Outcome, StaleVerdict, Verdict, check, kind_of
from review.verdicts.models import VERDICTS, Annotation, Label, Source

SAME_BOX_PX = 0.5


def record_verdicts(
    *, namespace: Namespace, verdicts: Sequence[Verdict], by: Actor, source: str = Source.API
) -> list[Outcome]:
    """Write verdicts with their history, truth and events in one transaction; one outcome each, in order.

    A faulty or stale verdict has its error and costs the others nothing. An actor's second verdict on a detection is a
    new version of the first; a missed object that the same actor drew at the same place with the same class likewise,
    and a label of the vocabulary given to the same detection or document again.
    """
    with transaction.atomic():
        ledger = Ledger(namespace, by)
        outcomes = record_into(ledger, verdicts, source)
        ledger.settle()
    return outcomes


def record_into(ledger: Ledger, verdicts: Sequence[Verdict], source: str = Source.API) -> list[Outcome]:
    """`record_verdicts` up to what follows from them; inside a transaction."""
    scene = Scene(ledger.namespace, verdicts)
    outcomes: list[Outcome | None] = []
    for verdict in verdicts:
        error = check(verdict, scene.own) or scene.refusal(verdict)
        outcomes.append(Outcome(None, error=error) if error else None)
    open_ = [number for number, outcome in enumerate(outcomes) if outcome is None]
    # Before the classes, whose own lock is held to the end: whoever changes annotations takes them so too.
    lock_images(image_of(verdicts[number], scene.detections) for number in open_)
    scene.learn_classes(verdicts[number].class_name for number in open_)
    drafts = {}
    for number in open_:
        try:
            drafts[number] = scene.draft(verdicts[number], ledger.by, source)
        except DomainError as error:
            outcomes[number] = Outcome(None, error=error)
    for number, outcome in _store(ledger, drafts).items():
        outcomes[number] = outcome
    return [outcome for outcome in outcomes if outcome is not None]


class Scene:
    """All that verdicts are about, read at once: detections (locked), images, classes, labels, collections."""

    def __init__(
        self,
        namespace: Namespace,
        verdicts: Sequence[Verdict],
        detections: dict[int, Detection] | None = None,
    ) -> None:
        self.namespace = namespace
        labels = {verdict.label for verdict in verdicts}
        self.own = (
            set(own_labels(namespace).values_list("name", flat=True)) if labels - set(Label.values) else set()
        )
        if detections is None:
            detections = lock_detections(
                namespace, [v.detection_id for v in verdicts if v.detection_id is not None]
            )
        self.detections = detections
        wanted = {detection.image_id for detection in detections.values()}
        wanted |= {v.image_id for v in verdicts if v.image_id is not None}
        images = Image.objects.filter(namespace=namespace, pk__in=wanted)
        self.images = {row.pk: row for row in images.only("width", "height", "namespace_id")}
        places = {v.collection_id for v in verdicts if v.detection_id is None and v.collection_id is not None}
        rows = Collection.objects.filter(pk__in=places) if places else Collection.objects.none()
        self.versions = dict(rows.values_list("pk", "extractor_version_id"))
        self.classes: dict[str, ObjectClass] = {}

    def learn_classes(self, names: Iterable[str | None]) -> None:
        """Classes by name; one that nobody knows yet is proposed. Names that are no class are left out."""
        proper = [name for name in names if name and 0 < len(name.strip()) <= 200]
        if proper:
            self.classes |= ensure_classes(
                namespace=self.namespace, names=proper, state=ObjectClass.State.PROPOSED
            )

    def refusal(self, verdict: Verdict) -> DomainError | None:
        if verdict.detection_id is not None:
            detection = self.detections.get(verdict.detection_id)
            if detection is None:
                return NotFound("This detection does not exist here.", field="document_id")
            if verdict.revision is not None and verdict.revision != detection.revision:
                return _stale(detection)
        elif verdict.image_id not in self.images:
            return NotFound("This image does not exist here.", field="document_id")
        return None

    def draft(self, verdict: Verdict, by: Actor, source: str) -> Annotation:
        """The annotation as this verdict would have it. Raises InvalidInput for a wrong class or box."""
        detection = self.detections.get(verdict.detection_id) if verdict.detection_id is not None else None
        image = self.images[detection.image_id if detection else verdict.image_id or 0]
        about = None if verdict.label == Label.MISSED else detection
        class_id, box = self._truth(verdict, about, image)
        if detection:
            version_id: int | None = detection.extractor_version_id
        else:
            version_id = self.versions.get(verdict.collection_id or 0)
        return Annotation(
            namespace=self.namespace,
            image=image,
            collection_id=detection.collection_id if detection else verdict.collection_id,
            document_id=detection.document_id if detection else verdict.document_id,
            detection=about,
            predicted_class_id=about.object_class_id if about else None,
            predicted_confidence=about.confidence if about else None,
            extractor_version_id=version_id,
            label=verdict.label,
            object_class_id=class_id,
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

    def _truth(
        self, verdict: Verdict, about: Detection | None, image: Image
    ) -> tuple[int | None, Box | None]:
        """The class's key and the box that hold by a verdict: its own where given, else the detection's."""
        if kind_of(verdict.label) == "word":
            return None, None
        box = clip(verdict.box, image.width, image.height, field="payload.bbox") if verdict.box else None
        if verdict.class_name is not None and verdict.class_name.strip() not in self.classes:
            ensure_classes(namespace=self.namespace, names=[verdict.class_name])  # says what is wrong with it
        class_id = self.classes[verdict.class_name.strip()].pk if verdict.class_name is not None else None
        if about:
            class_id = class_id or about.object_class_id
            box = box or Box(about.cx, about.cy, about.w, about.h)
        return (None if verdict.label == Label.FALSE_POSITIVE else class_id), box


def _stale(detection: Detection) -> StaleVerdict:
    last = (
        Annotation.objects.filter(detection=detection, deleted_at=None, label__in=VERDICTS)
        .select_related("object_class")
        .order_by("-decided_at", "-pk")
        .first()
    )
    details: dict[str, Any] = {"revision": detection.revision, "label": detection.decided_label}
    if last is None and detection.decided_label:
        return StaleVerdict(
            "This object is known meanwhile: somebody decided it in another look at the image. Look again before you"
            " decide.",
            details=details,
        )
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


def _store(ledger: Ledger, drafts: dict[int, Annotation]) -> dict[int, Outcome]:
    """Insert or update annotations and append their versions."""
    rows = known_like(drafts.values())
    outcomes: dict[int, Outcome] = {}
    for number, draft in drafts.items():
        key = key_of(draft)
        row = rows.get(key)
        outcomes[number] = Outcome(row or draft, created=row is None)
        if row is None:
            rows[key] = draft
            ledger.add(draft)
        else:
            ledger.open(row)
            for name in VALUE_FIELDS:
                setattr(row, name, getattr(draft, name))
            ledger.close(row)
    ledger.store()
    return outcomes


def key_of(row: Annotation) -> tuple[object, ...]:
    """What a repeated call is known by."""
    kind = kind_of(row.label)
    if kind == "verdict":
        return (row.actor, kind, row.detection_id)
    if kind == "word":
        return (row.actor, kind, row.label, row.detection_id, row.document_id, row.image_id)
    places = (row.cx, row.cy, row.w, row.h)
    # Half-pixel steps: a client that repeats a call after a lost answer sends the same numbers.
    steps = tuple(round(place / SAME_BOX_PX) for place in places if place is not None)
    return (row.actor, kind, row.image_id, row.object_class_id, steps)


def known_like(drafts: Iterable[Annotation]) -> dict[tuple[object, ...], Annotation]:
    """The live annotations, locked, that drafts would be new versions of; by `key_of`.

    Only those about the drafts' detections, or about their images where there is none: these the caller has locked.
    """
    items = list(drafts)
    live = (
        Annotation.objects.select_for_update(no_key=True, of=("self",))
        .filter(actor__in={row.actor for row in items}, deleted_at=None)
        .order_by("pk")
    )
    verdicts = [d.detection_id for d in items if d.detection_id and kind_of(d.label) == "verdict"]
    missed = {d.image_id for d in items if kind_of(d.label) == "missed"}
    words = [d for d in items if kind_of(d.label) == "word"]
    found: list[Annotation] = []
    if verdicts:
        found += live.filter(detection_id__in=verdicts, label__in=VERDICTS)
    if missed:
        found += live.filter(detection=None, label=Label.MISSED, image_id__in=missed)
    if words:
        about = Q(detection_id__in=[d.detection_id for d in words if d.detection_id])
        about |= Q(detection=None, image_id__in=[d.image_id for d in words if d.detection_id is None])
        found += live.filter(about, label__in={d.label for d in words})
    return {key_of(row): row for row in found}
