"""What one call does to annotations: gathered row by row, written in a few statements whatever their number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from extraction.runs.models import Detection
from mixcv.kernel.bulk import copy_in, reserve_keys, update_all
from mixcv.kernel.events import Happening, publish
from mixcv.tenancy.actors import Actor
from mixcv.tenancy.models import Namespace
from review.verdicts.domain.counts import Tally
from review.verdicts.domain.effects import apply_decisions
from review.verdicts.domain.values import Verdict
from review.verdicts.models import Annotation, AnnotationVersion, Label

# What a version keeps; the row keeps who made it, each version who made that one.
VALUE_FIELDS = (
    *("label", "object_class_id", "cx", "cy", "w", "h", "confidence", "reasoning", "payload", "metadata"),
    *("source", "retriever_ref", "execution_ref", "stage_name", "seconds"),
)
_ROW_FIELDS = [field.attname for field in Annotation._meta.concrete_fields]  # the columns' names too
_VERSION_COLUMNS = [
    *("annotation_id", "version", "takes_back", "decided_at", "actor", "actor_type"),
    *VALUE_FIELDS,
]


class Ledger:
    """Rows are locked by the caller. `open` a row before it is changed and `close` it after; `add` a new one.

    `store` writes them, as often as a call needs it; `settle` once, at the end, what follows from all of them. So
    truth, queues and images are locked in one go, however many verbs one transaction has.
    """

    def __init__(self, namespace: Namespace, by: Actor) -> None:
        self.namespace, self.by = namespace, by
        self.now = timezone.now()
        self._tally = Tally()
        self._new: list[Annotation] = []
        self._changed: dict[int, Annotation] = {}
        self._versions: list[tuple[Annotation, list[Any]]] = []
        self._happenings: list[Happening] = []
        self._decided: dict[int, Annotation] = {}

    def add(self, row: Annotation) -> None:
        row.created_at = row.updated_at = row.decided_at = self.now
        self._new.append(row)
        self._tally.add(row)
        self._append(row, decides=True)

    def open(self, row: Annotation) -> None:
        self._tally.take(row)

    def close(self, row: Annotation, *, decides: bool = True, takes_back: bool = False) -> None:
        """`decides`: label, class or box may be others now, so that truth and queues follow."""
        row.version += 1
        row.updated_at = self.now
        if decides:
            row.decided_at = self.now
        if row.pk:
            self._changed[row.pk] = row
        self._tally.add(row)
        self._append(row, decides=decides, takes_back=takes_back)

    def _append(self, row: Annotation, *, decides: bool, takes_back: bool = False) -> None:
        if decides:
            self._decided[id(row)] = row
        values = [getattr(row, name) for name in VALUE_FIELDS]
        head = [row.version, takes_back, self.now, self.by.name, self.by.type]
        self._versions.append((row, head + values))
        kind = "created" if row.version == 1 else "deleted" if row.deleted_at else "updated"
        taken = {"taken_back": True} if takes_back else {}
        self._happenings.append(
            Happening(f"annotation.{kind}", row.public_id, _payload(row) | taken),
        )

    def store(self) -> None:
        """Write annotations and their versions."""
        for row, key in zip(self._new, reserve_keys(Annotation, len(self._new)), strict=True):
            row.pk = key
            row._state.adding = False
        if self._new:
            rows = ([getattr(row, name) for name in _ROW_FIELDS] for row in self._new)
            copy_in(Annotation, _ROW_FIELDS, rows)
        update_all(
            list(self._changed.values()),
            [*VALUE_FIELDS, "version", "updated_at", "decided_at", "deleted_at"],
        )
        if self._versions:
            copy_in(
                AnnotationVersion, _VERSION_COLUMNS, ([row.pk, *values] for row, values in self._versions)
            )
        self._new, self._changed, self._versions = [], {}, []
        self.now = timezone.now()  # what comes later is later

    def settle(self) -> None:
        """Write what follows from all that was stored: counts, truth, queues, events."""
        self._tally.write()
        apply_decisions(rows=list(self._decided.values()))
        publish(namespace_id=self.namespace.pk, actor=self.by.name, happenings=self._happenings)


def _payload(row: Annotation) -> dict[str, Any]:
    return {
        "label": row.label,
        "version": row.version,
        "class_id": row.object_class_id,
        "collection_id": row.collection_id,
        "detection_id": row.detection_id,
        "image_id": row.image_id,
    }


def lock_detections(namespace: Namespace, keys: Iterable[int]) -> dict[int, Detection]:
    """Detections by key, locked in the order of their keys against deadlock. All who decide lock these first."""
    rows = (
        Detection.objects.select_for_update(no_key=True, of=("self",))
        .filter(pk__in=set(keys), collection__namespace=namespace)
        .defer("class_scores", "extra", "enrichment")
        .order_by("pk")
    )
    return {row.pk: row for row in rows}


def lock_images(keys: Iterable[int | None]) -> None:
    """Let calls about one image's undetected objects run one after the other: no row exists yet that they could lock.

    After the detections, before the annotations.
    """
    images = sorted({key for key in keys if key is not None})
    if images:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended('undetected', k)) "
                "FROM unnest(%s::bigint[]) AS k ORDER BY k",
                [images],
            )


def lock_places(namespace: Namespace, verdicts: Iterable[Verdict], refs: Iterable[str]) -> None:
    """Lock the detections and images that verdicts and annotations are about.

    For one that decides in several steps: each step finds its locks taken, whatever its order.
    """
    verdicts = list(verdicts)
    places = list(_live(namespace, refs).values_list("detection_id", "image_id"))
    keys = [one.detection_id for one in verdicts if one.detection_id is not None]
    detections = lock_detections(namespace, [*keys, *(key for key, _ in places if key is not None)])
    lock_images(
        [
            *(image_of(one, detections) for one in verdicts),
            *(image for key, image in places if key is None),
        ]
    )


def image_of(verdict: Verdict, detections: Mapping[int, Detection]) -> int | None:
    """The image of a verdict whose annotation is about no detection; None of the others."""
    detection = detections.get(verdict.detection_id or 0)
    if detection is None:
        return verdict.image_id
    return detection.image_id if verdict.label == Label.MISSED else None


def _live(namespace: Namespace, refs: Iterable[str]) -> QuerySet[Annotation]:
    return Annotation.objects.filter(namespace=namespace, public_id__in=set(refs), deleted_at=None)


def lock_annotations(
    namespace: Namespace, refs: Iterable[str], *, actor: str | None = None
) -> tuple[dict[str, Annotation], dict[int, Detection]]:
    """Live annotations by public id, and their detections; both locked, in the order of the house.

    `actor`: only this one's.
    """
    about = _live(namespace, refs)
    if actor is not None:
        about = about.filter(actor=actor)
    places = list(about.values_list("detection_id", "image_id"))
    detections = lock_detections(namespace, [key for key, _ in places if key is not None])
    lock_images(image for key, image in places if key is None)
    rows = about.select_for_update(no_key=True, of=("self",)).select_related("image").order_by("pk")
    return {row.public_id: row for row in rows}, detections
