"""Changing annotations by their ids: a new version each, under the same id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from django.db import transaction

from mixcv.kernel.errors import Conflict, DomainError, InvalidInput
from mixcv.kernel.geometry import Box
from mixcv.tenancy.actors import Actor
from mixcv.tenancy.models import Namespace
from review.verdicts.domain.ledger import Ledger, lock_annotations
from review.verdicts.domain.payload import read_payload
from review.verdicts.domain.record import Scene, key_of, known_like
from review.verdicts.domain.retract import no_annotation
from review.verdicts.domain.values import Outcome, Revision, Verdict, check, check_values, kind_of
from review.verdicts.models import Annotation

REVISABLE = ("label", "confidence", "reasoning", "payload", "metadata")
_DECISION = ("label", "object_class_id", "cx", "cy", "w", "h")


def revise_verdicts(*, namespace: Namespace, revisions: Sequence[Revision], by: Actor) -> list[Outcome]:
    """Change annotations, whoever made them, in one transaction; one outcome each, in order.

    Truth follows where the label or the payload changes; a note alone leaves it, and does not make an older decision
    the latest. A faulty revision has its error and costs the others nothing.
    """
    with transaction.atomic():
        ledger = Ledger(namespace, by)
        outcomes = revise_into(ledger, revisions)
        ledger.settle()
    return outcomes


def revise_into(ledger: Ledger, revisions: Sequence[Revision]) -> list[Outcome]:
    """`revise_verdicts` up to what follows from them; inside a transaction."""
    namespace, by = ledger.namespace, ledger.by
    rows, detections = lock_annotations(namespace, [one.annotation_id for one in revisions])
    merged = [_merged(rows.get(one.annotation_id), one.changes) for one in revisions]
    scene = Scene(namespace, [one for one in merged if isinstance(one, Verdict)], detections)
    scene.learn_classes(one.class_name for one in merged if isinstance(one, Verdict))
    twins = known_like(_undetected(merged, rows, revisions, scene, by))
    outcomes = []
    for one in revisions:
        row = rows.get(one.annotation_id)
        try:
            if row is None:
                raise no_annotation(one.annotation_id)
            _revise(row, one.changes, scene, ledger, twins)
            outcomes.append(Outcome(row))
        except DomainError as error:
            outcomes.append(Outcome(None, error=error))
    ledger.store()
    return outcomes


def _merged(row: Annotation | None, changes: Any) -> Verdict | DomainError | None:
    """The verdict that a revision comes to, to be checked like a new one; class and box anew where they may change."""
    if row is None:
        return None
    label = changes.get("label", row.label)
    payload = changes.get("payload", row.payload) or {}
    class_name: str | None = None
    box: Box | None = None
    if _decides(row, changes):
        try:
            class_name, box = read_payload(label, payload)
        except DomainError as error:
            return error
    return Verdict(
        label=label,
        detection_id=row.detection_id,
        image_id=row.image_id,
        class_name=class_name,
        box=box,
        confidence=changes.get("confidence", row.confidence),
        reasoning=changes.get("reasoning", row.reasoning) or "",
        payload=payload,
        metadata=changes.get("metadata", row.metadata) or {},
        collection_id=row.collection_id,
        document_id=row.document_id,
    )


def _decides(row: Annotation, changes: Any) -> bool:
    return "payload" in changes or changes.get("label", row.label) != row.label


def _undetected(
    merged: Sequence[Verdict | DomainError | None],
    rows: Mapping[str, Annotation],
    revisions: Sequence[Revision],
    scene: Scene,
    by: Actor,
) -> list[Annotation]:
    """What revisions of missed objects and of labels of the vocabulary come to: another may say the same already."""
    drafts = []
    for verdict, one in zip(merged, revisions, strict=True):
        if not isinstance(verdict, Verdict) or kind_of(verdict.label) == "verdict":
            continue
        row = rows[one.annotation_id]
        if kind_of(verdict.label) != kind_of(row.label):
            continue  # will be refused; what it would be like is locked by nobody
        if check(verdict, scene.own | {row.label}) is None and _decides(row, one.changes):
            with suppress(InvalidInput):
                drafts.append(_draft(row, verdict, scene, by))
    return drafts


def _draft(row: Annotation, verdict: Verdict, scene: Scene, by: Actor) -> Annotation:
    draft = scene.draft(verdict, by, row.source)
    draft.actor = row.actor
    return draft


def _revise(
    row: Annotation, changes: Any, scene: Scene, ledger: Ledger, twins: dict[tuple[object, ...], Annotation]
) -> None:
    """Change `row` as asked. Raises DomainError, with the row as it was, where that makes no sense."""
    if not changes:
        raise InvalidInput(f"Nothing to change. Send at least one of {', '.join(REVISABLE)}.")
    verdict = _merged(row, changes)
    assert verdict is not None
    if isinstance(verdict, DomainError):
        raise verdict
    if error := check_values(verdict):
        raise error
    decides = _decides(row, changes)
    draft = row
    if decides:
        # A label that was taken out of the vocabulary stays where it is.
        if error := check(verdict, scene.own | {row.label}):
            raise error
        draft = _same_kind(row, _draft(row, verdict, scene, ledger.by))
        twin = twins.get(key_of(draft))
        if twin and twin.pk != row.pk and kind_of(row.label) != "verdict":
            raise Conflict(
                f"{twin.public_id} says the same already. Delete one of the two.", field="annotation_id"
            )
    ledger.open(row)
    if decides:
        twins.pop(key_of(row), None)
        for name in _DECISION:
            setattr(row, name, getattr(draft, name))
        twins[key_of(row)] = row
    row.confidence, row.reasoning = verdict.confidence, verdict.reasoning
    row.payload, row.metadata = verdict.payload or {}, verdict.metadata or {}
    ledger.close(row, decides=decides)


def _same_kind(row: Annotation, draft: Annotation) -> Annotation:
    if kind_of(row.label) == kind_of(draft.label):
        return draft
    raise InvalidInput(
        f"The label {row.label} cannot become {draft.label}: verdicts on a detection (confirmed, corrected,"
        " false_positive), missed objects and labels of the vocabulary are kept apart. Delete this annotation and"
        " create the other.",
        field="label",
    )
