"""Taking a decision back: undo in review steps back one version, delete in the API takes all of it away."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db import transaction

from mixcv.kernel.errors import NotFound
from mixcv.tenancy.actors import Actor
from mixcv.tenancy.models import Namespace
from review.verdicts.domain.ledger import VALUE_FIELDS, Ledger, lock_annotations
from review.verdicts.domain.values import Outcome
from review.verdicts.models import Annotation, AnnotationVersion


def retract_verdicts(*, namespace: Namespace, annotation_ids: Sequence[str], by: Actor) -> list[Outcome]:
    """Take back the last version of annotations, in order; the version before holds again, as a new version.

    An annotation of one version is deleted, its history stays. Only the actor's own: others' answer NotFound.
    """
    with transaction.atomic():
        rows, _ = lock_annotations(namespace, annotation_ids, actor=by.name)
        history = _history(rows.values())
        ledger = Ledger(namespace, by)
        outcomes = []
        for ref in annotation_ids:
            row = rows.pop(ref, None)
            if row is None:
                error = NotFound(
                    f"There is no annotation {ref} of yours to take back.", field="annotation_id"
                )
                outcomes.append(Outcome(None, error=error))
                continue
            ledger.open(row)
            before = _before_last(history[row.pk])
            if before:
                for name in VALUE_FIELDS:
                    setattr(row, name, getattr(before, name))
            else:
                row.deleted_at = ledger.now
            ledger.close(row, takes_back=True)
            outcomes.append(Outcome(row))
        ledger.store()
        ledger.settle()
    return outcomes


def delete_verdicts(*, namespace: Namespace, annotation_ids: Sequence[str], by: Actor) -> list[Outcome]:
    """Delete annotations, whoever made them: they hold no more, and their versions can still be read.

    One that is deleted already, or named twice, answers NotFound.
    """
    with transaction.atomic():
        ledger = Ledger(namespace, by)
        outcomes = delete_into(ledger, annotation_ids)
        ledger.settle()
    return outcomes


def delete_into(ledger: Ledger, annotation_ids: Sequence[str]) -> list[Outcome]:
    """`delete_verdicts` up to what follows from it; inside a transaction."""
    rows, _ = lock_annotations(ledger.namespace, annotation_ids)
    outcomes = []
    for ref in annotation_ids:
        row = rows.pop(ref, None)
        if row is None:
            outcomes.append(Outcome(None, error=no_annotation(ref)))
            continue
        ledger.open(row)
        row.deleted_at = ledger.now
        ledger.close(row, takes_back=True)
        outcomes.append(Outcome(row))
    ledger.store()
    return outcomes


def no_annotation(ref: str) -> NotFound:
    return NotFound(f"There is no annotation {ref[:100]}.", field="annotation_id")


def _history(rows: Iterable[Annotation]) -> dict[int, list[AnnotationVersion]]:
    found: dict[int, list[AnnotationVersion]] = {row.pk: [] for row in rows}
    for version in AnnotationVersion.objects.filter(annotation_id__in=found).order_by(
        "annotation", "version"
    ):
        found[version.annotation_id].append(version)
    return found


def _before_last(versions: Iterable[AnnotationVersion]) -> AnnotationVersion | None:
    """What held before: versions that took something back are passed over together with what they took back."""
    stack: list[AnnotationVersion] = []
    for version in versions:
        if version.takes_back:
            stack.pop()
        else:
            stack.append(version)
    stack.pop()
    return stack[-1] if stack else None
