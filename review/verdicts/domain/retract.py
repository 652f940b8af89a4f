"""Taking a decision back: undo in review, delete in the API."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone

from mixcv.kernel.errors import NotFound
from mixcv.kernel.events import Happening, publish
from mixcv.tenancy.actors import Actor
from mixcv.tenancy.models import Namespace
from review.verdicts.domain.effects import apply_decisions
from review.verdicts.domain.record import DECISION_FIELDS, lock_detections
from review.verdicts.domain.values import Outcome
from review.verdicts.models import Annotation, AnnotationVersion


def retract_verdicts(*, namespace: Namespace, annotation_ids: Sequence[str], by: Actor) -> list[Outcome]:
    """Take back the last version of annotations, in order; the version before holds again, as a new version.

    An annotation of one version is deleted, its history stays. Only the actor's own: others' answer NotFound.
    """
    with transaction.atomic():
        # Detections before annotations, as when verdicts are recorded: nobody else's decision falls in between.
        about = Annotation.objects.filter(namespace=namespace, public_id__in=annotation_ids)
        lock_detections(namespace, about.exclude(detection=None).values_list("detection_id", flat=True))
        rows = {
            row.public_id: row
            for row in Annotation.objects.select_for_update()
            .filter(namespace=namespace, public_id__in=annotation_ids, actor=by.name, deleted_at=None)
            .order_by("pk")
        }
        outcomes, changed = [], []
        for ref in annotation_ids:
            row = rows.pop(ref, None)
            if row is None:
                error = NotFound(
                    f"There is no annotation {ref} of yours to take back.", field="annotation_id"
                )
                outcomes.append(Outcome(None, error=error))
                continue
            _step_back(row)
            changed.append(row)
            outcomes.append(Outcome(row))
        apply_decisions(rows=changed)
        publish(
            namespace_id=namespace.pk,
            actor=by.name,
            happenings=[
                Happening(
                    "annotation.deleted" if row.deleted_at else "annotation.updated",
                    row.public_id,
                    {"label": row.label, "version": row.version, "taken_back": True},
                )
                for row in changed
            ],
        )
    return outcomes


def _step_back(row: Annotation) -> None:
    """To what held before: versions that took something back are passed over together with what they took back."""
    stack: list[AnnotationVersion] = []
    for version in row.versions.order_by("version"):
        if version.takes_back:
            stack.pop()
        else:
            stack.append(version)
    stack.pop()
    now = timezone.now()
    row.version += 1
    row.updated_at = now
    before = stack[-1] if stack else None
    if before:
        for name in DECISION_FIELDS:
            setattr(row, name, getattr(before, name))
    else:
        row.deleted_at = now
    row.save()
    values = {name: getattr(row, name) for name in DECISION_FIELDS}
    AnnotationVersion.objects.create(
        annotation=row, version=row.version, takes_back=True, decided_at=now, **values
    )
