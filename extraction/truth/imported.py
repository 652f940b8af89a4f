"""Truth that comes from files: added beside what is known, never over what a person said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from django.utils import timezone

from extraction.truth.models import GroundTruthBox
from extraction.truth.overlap import SAME_OBJECT
from extraction.truth.wishes import wish_matches
from mixcv.kernel.bulk import copy_in
from mixcv.kernel.geometry import Box, iou

SAME_WITHIN = 0.5  # pixels, each edge
_COLUMNS = [field.attname for field in GroundTruthBox._meta.concrete_fields if field.attname != "id"]


class Became(StrEnum):
    """What became of a told box. `person`: a person's box of this object stands; `refused`: a person said that there is
    none."""

    ADDED = "added"
    THERE = "there"
    PERSON = "person"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Told:
    """One object that a file tells of. `box`: centre form, pixels of the upright image."""

    image_id: int
    class_id: int
    box: Box


def add_imported(told: Sequence[Told]) -> list[tuple[Became, GroundTruthBox | None]]:
    """Write what is not known yet by COPY; what became of each box in order, with the row that was there.

    The same box is one of the same class whose edges lie within half a pixel. Where a person decided, any box that
    covers theirs by half or more is theirs. Call it in a transaction, with the images' detections locked.
    """
    rows: dict[int, list[GroundTruthBox]] = {item.image_id: [] for item in told}
    known = GroundTruthBox.objects.select_for_update().filter(image_id__in=list(rows))
    for row in known.order_by("pk"):
        rows[row.image_id].append(row)
    places: dict[int, list[int]] = {key: [] for key in rows}
    for place, item in enumerate(told):
        places[item.image_id].append(place)
    became: list[tuple[Became, GroundTruthBox | None]] = [(Became.ADDED, None)] * len(told)
    for image_id, here in places.items():
        for place, row in _matches([(place, told[place]) for place in here], rows[image_id]):
            became[place] = (_of(row), row)
    now = timezone.now()
    news = (_row(item) for item, (what, _) in zip(told, became, strict=True) if what == Became.ADDED)
    values = []
    for row in news:
        row.updated_at = now
        values.append([getattr(row, name) for name in _COLUMNS])
    if values:
        copy_in(GroundTruthBox, _COLUMNS, values)
        wish_matches(rows, looks=1)
    return became


def box_of(row: GroundTruthBox) -> Box:
    return Box(row.cx, row.cy, row.w, row.h)


def is_same(a: Box, b: Box) -> bool:
    """Whether each edge lies within half a pixel of the other's."""
    return all(abs(x - y) <= SAME_WITHIN for x, y in zip(a.corners, b.corners, strict=True))


def by_person(row: GroundTruthBox) -> bool:
    """Whether a person drew, changed, confirmed or refused this object."""
    return (
        row.origin != GroundTruthBox.Origin.IMPORT
        or bool(row.evidence)
        or row.state == GroundTruthBox.State.REMOVED
    )


def _of(row: GroundTruthBox) -> Became:
    if row.state == GroundTruthBox.State.REMOVED:
        return Became.REFUSED
    return Became.PERSON if by_person(row) else Became.THERE


def _matches(
    told: Sequence[tuple[int, Told]], rows: Sequence[GroundTruthBox]
) -> Iterable[tuple[int, GroundTruthBox]]:
    """Pairs of told boxes and rows of one image, each in one pair at most: the same boxes, then the best covered."""
    fits = [(_match(item, row), place, row) for place, item in told for row in rows]
    pairs = [pair for pair in fits if pair[0] > 0]
    taken_places: set[int] = set()
    taken_rows: set[int] = set()
    for _, place, row in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2].pk)):
        if place not in taken_places and row.pk not in taken_rows:
            taken_places.add(place)
            taken_rows.add(row.pk)
            yield place, row


def _match(item: Told, row: GroundTruthBox) -> float:
    """How well a told box fits what is known: 3 the same, 2 told so before, else IoU with a person's; 0: not."""
    same_class, box = row.object_class_id == item.class_id, box_of(row)
    if same_class and is_same(item.box, box):
        return 3
    before = row.imported
    if before and before["class"] == item.class_id and is_same(item.box, Box(*before["box"])):
        return 2
    if by_person(row) and (same_class or row.state != GroundTruthBox.State.REMOVED):
        covered = iou(item.box, box)
        return covered if covered >= SAME_OBJECT else 0
    return 0


def _row(item: Told) -> GroundTruthBox:
    box = item.box
    return GroundTruthBox(
        image_id=item.image_id,
        object_class_id=item.class_id,
        cx=box.cx,
        cy=box.cy,
        w=box.w,
        h=box.h,
        origin=GroundTruthBox.Origin.IMPORT,
        imported={"class": item.class_id, "box": [box.cx, box.cy, box.w, box.h]},
    )
