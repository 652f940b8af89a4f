"""A version's items with their boxes, a chunk at a time: memory stays flat at any size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from extraction.intake.models import Blob
from review.datasets.models import DatasetBox, DatasetItem, DatasetVersion

CHUNK = 500


@dataclass(frozen=True, slots=True)
class FrozenBox:
    """Centre form, pixels of the upright image."""

    class_index: int
    cx: float
    cy: float
    w: float
    h: float
    origin: str
    annotation_id: str
    annotation_version: int


@dataclass(frozen=True, slots=True)
class FrozenImage:
    """`number`: its place in the version, from 1. `blob`: the upright working image."""

    number: int
    split: str
    holdout: bool
    file_name: str
    sha256: str
    width: int
    height: int
    rule: str
    hard_negatives: int
    blob: Blob
    boxes: list[FrozenBox]


_FIELDS = ("class_index", "cx", "cy", "w", "h", "origin", "annotation_id", "annotation_version")


def frozen_images(version: DatasetVersion, *, split: str | None = None) -> Iterator[FrozenImage]:
    """In the order in which they were frozen: by split, then by name."""
    last, number = 0, 0
    rows = DatasetItem.objects.filter(dataset_version=version).select_related("image__working").order_by("pk")
    if split:
        rows = rows.filter(split=split)
    while chunk := list(rows.filter(pk__gt=last)[:CHUNK]):
        last = chunk[-1].pk
        boxes: dict[int, list[FrozenBox]] = {}
        found = DatasetBox.objects.filter(item__in=[item.pk for item in chunk]).order_by("pk")
        for key, *values in found.values_list("item_id", *_FIELDS):
            boxes.setdefault(key, []).append(FrozenBox(*values))
        for item in chunk:
            number += 1
            yield FrozenImage(
                number,
                item.split,
                item.holdout,
                item.file_name,
                item.image_sha256,
                item.width,
                item.height,
                item.rule,
                item.hard_negatives,
                item.image.working,
                boxes.get(item.pk, []),
            )
