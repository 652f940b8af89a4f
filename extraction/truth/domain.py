"""Writes of ground truth and of how far images are reviewed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from extraction.intake.models import Image
from extraction.truth.imported import box_of
from extraction.truth.models import GroundTruthBox, ImageReview
from extraction.truth.overlap import SAME_OBJECT
from extraction.truth.wishes import wish_matches
from mixcv.kernel.bulk import copy_in, update_all
from mixcv.kernel.geometry import Box, iou
from mixcv.tenancy.models import User


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known of one object now: of a detection, or (a missed one) of an annotation.

    `class_id` and `box` None: there is no object. `box`: centre, width, height in pixels of the upright image.
    """

    image_id: int
    detection_id: int | None
    evidence: str
    class_id: int | None
    box: Box | None
    disputed: bool = False


def set_truth(truths: Sequence[Truth]) -> None:
    """Write one row per real object, in a few statements: told by its detection, else by the annotation's id.

    Where an object turns out to be none, its row stays as `removed`. Where a decision is taken back, what an import
    told of the object holds again. A drawn box over an imported one of its class, by half or more, is that object.
    """
    if not truths:
        return
    by_detection = {t.detection_id for t in truths if t.detection_id is not None}
    by_evidence = {t.evidence for t in truths if t.detection_id is None}
    rows = GroundTruthBox.objects.select_for_update().filter(
        Q(detection_id__in=by_detection) | Q(detection=None, evidence__in=by_evidence)
    )
    known = {_key(row): row for row in rows.order_by("pk")}
    known |= _drawn_over([truth for truth in truths if truth.box and _key(truth) not in known])
    new, changed = [], []
    for truth in truths:
        row = known.get(_key(truth))
        if truth.box is None or truth.class_id is None:
            if row and row.imported and (not truth.evidence or truth.detection_id is None):
                _restore(row, row.imported)
                changed.append(row)
            elif row and row.state != GroundTruthBox.State.REMOVED:
                row.state = GroundTruthBox.State.REMOVED
                changed.append(row)
            continue
        state = GroundTruthBox.State.DISPUTED if truth.disputed else GroundTruthBox.State.ACTIVE
        values = (truth.class_id, truth.box.cx, truth.box.cy, truth.box.w, truth.box.h, state, truth.evidence)
        if row is None:
            new.append(_row(truth, values))
        elif (row.object_class_id, row.cx, row.cy, row.w, row.h, row.state, row.evidence) != values:
            row.object_class_id, row.cx, row.cy, row.w, row.h, row.state, row.evidence = values
            changed.append(row)
    now = timezone.now()
    for row in changed:
        row.version += 1
        row.updated_at = now
    for row in new:
        row.updated_at = now
    if new:
        columns = [field.attname for field in GroundTruthBox._meta.concrete_fields if field.attname != "id"]
        copy_in(GroundTruthBox, columns, ([getattr(row, name) for name in columns] for row in new))
    update_all(
        changed, ["object_class_id", "cx", "cy", "w", "h", "state", "evidence", "version", "updated_at"]
    )


def _key(one: Truth | GroundTruthBox) -> tuple[int | None, str]:
    return one.detection_id, one.evidence if one.detection_id is None else ""


def _drawn_over(truths: Sequence[Truth]) -> dict[tuple[int | None, str], GroundTruthBox]:
    """For objects drawn anew: the imported ones that no detection shows and nobody decided about, which they cover."""
    drawn = [truth for truth in truths if truth.detection_id is None]
    if not drawn:
        return {}
    rows = GroundTruthBox.objects.select_for_update().filter(
        image_id__in={truth.image_id for truth in drawn},
        detection=None,
        evidence="",
        origin=GroundTruthBox.Origin.IMPORT,
        state=GroundTruthBox.State.ACTIVE,
    )
    pairs = [
        (iou(truth.box, box_of(row)), place, row)
        for row in rows.order_by("pk")
        for place, truth in enumerate(drawn)
        if truth.box and (truth.image_id, truth.class_id) == (row.image_id, row.object_class_id)
    ]
    found: dict[tuple[int | None, str], GroundTruthBox] = {}
    used: set[int] = set()
    for covered, place, row in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2].pk)):
        key = _key(drawn[place])
        if covered >= SAME_OBJECT and key not in found and row.pk not in used:
            found[key] = row
            used.add(row.pk)
    return found


def _restore(row: GroundTruthBox, told: dict[str, Any]) -> None:
    row.object_class_id = told["class"]
    row.cx, row.cy, row.w, row.h = told["box"]
    row.state, row.evidence = GroundTruthBox.State.ACTIVE, ""


def _row(truth: Truth, values: tuple[int, float, float, float, float, str, str]) -> GroundTruthBox:
    class_id, cx, cy, w, h, state, evidence = values
    return GroundTruthBox(
        image_id=truth.image_id,
        detection_id=truth.detection_id,
        object_class_id=class_id,
        cx=cx,
        cy=cy,
        w=w,
        h=h,
        state=state,
        evidence=evidence,
    )


def refresh_completeness(image_ids: Iterable[int]) -> None:
    """Compute anew how far images are reviewed, in two statements.

    complete: every current detection is decided, and somebody judged one of them, or a person said that nothing is
    missing; verified_empty: complete and no object is left; partial: something is decided; else unseen. What is known
    from another look or from an import was not judged: it says nothing of what is not known.

    The rows are locked by a statement before that: it waits for whoever changes them, and what they wrote is then seen
    by the one that computes. In one statement a declaration made meanwhile would be overwritten unseen.
    """
    keys = sorted(set(image_ids))
    if not keys:
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO extraction_imagereview (image_id, completeness, declared, revision, updated_at)
            SELECT m.id, 'unseen', false, 0, now() FROM extraction_image m WHERE m.id = ANY(%s) ORDER BY m.id
            ON CONFLICT (image_id) DO UPDATE SET revision = extraction_imagereview.revision
            """,
            [keys],
        )
        cursor.execute(
            """
            WITH seen AS (
                SELECT m.id AS image_id,
                    (SELECT count(*) FROM extraction_detection d WHERE d.image_id = m.id AND d.current
                        AND d.decided_label = '') AS open,
                    (SELECT count(*) FROM extraction_detection d
                        LEFT JOIN extraction_detectionmatch k ON k.detection_id = d.id
                        LEFT JOIN extraction_groundtruthbox t ON t.detection_id = d.id
                            AND t.origin = 'import' AND t.evidence = '' AND t.state <> 'removed'
                        WHERE d.image_id = m.id AND d.current AND d.decided_label <> ''
                            AND k.id IS NULL AND t.id IS NULL) AS judged,
                    (SELECT count(*) FROM extraction_groundtruthbox t WHERE t.image_id = m.id
                        AND t.state <> 'removed') AS objects,
                    coalesce(r.declared, false) AS declared
                FROM extraction_image m LEFT JOIN extraction_imagereview r ON r.image_id = m.id
                WHERE m.id = ANY(%s))
            INSERT INTO extraction_imagereview (image_id, completeness, declared, revision, updated_at)
            SELECT image_id, CASE
                WHEN (open = 0 AND judged > 0 OR declared) AND objects = 0 THEN 'verified_empty'
                WHEN open = 0 AND judged > 0 OR declared THEN 'complete'
                WHEN judged + objects > 0 THEN 'partial' ELSE 'unseen' END, declared, 1, now()
            FROM seen ORDER BY image_id
            ON CONFLICT (image_id) DO UPDATE SET completeness = excluded.completeness,
                revision = extraction_imagereview.revision + 1, updated_at = now()
            """,
            [keys],
        )


def declare_complete(*, image: Image, declared: bool = True) -> None:
    """A person says that nothing is missing on the image (or takes it back)."""
    ImageReview.objects.update_or_create(image=image, defaults={"declared": declared})
    refresh_completeness([image.pk])
    wish_matches([image.pk])


def declare_images(*, image_ids: Iterable[int]) -> None:
    """Somebody who knows says that nothing is missing on these images; in two statements."""
    keys = sorted(set(image_ids))
    ImageReview.objects.bulk_create(
        [ImageReview(image_id=key, declared=True, updated_at=timezone.now()) for key in keys],
        update_conflicts=True,
        unique_fields=["image"],
        update_fields=["declared"],
    )
    refresh_completeness(keys)
    wish_matches(keys)


def lease_image(*, image_id: int, user: User) -> bool:
    """Take the image for `user` for some minutes, or renew. False where another person has it open."""
    until = timezone.now() + timedelta(seconds=settings.MIXCV_REVIEW_LEASE_SECONDS)
    ImageReview.objects.bulk_create([ImageReview(image_id=image_id)], ignore_conflicts=True)
    free = Q(lease_by=None) | Q(lease_by=user) | Q(lease_until__lt=timezone.now())
    return bool(ImageReview.objects.filter(free, image_id=image_id).update(lease_by=user, lease_until=until))


def release_images(*, image_ids: Sequence[int], user: User) -> None:
    """Let go of images that `user` has open."""
    ImageReview.objects.filter(image_id__in=image_ids, lease_by=user).update(lease_by=None, lease_until=None)
