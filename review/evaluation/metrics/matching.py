"""Which box stands for which true box."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from review.evaluation.metrics.arrays import Boxes, Floats, Holdout, Ints

IOUS = np.linspace(0.5, 0.95, 10)
MOST_BOXES = 100


def overlaps(found: Floats, truth: Floats) -> Floats:
    """IoU (n, m) of boxes (n, 4) and (m, 4), both centre, width, height."""
    low = np.maximum((found[:, :2] - found[:, 2:] / 2)[:, None], (truth[:, :2] - truth[:, 2:] / 2)[None])
    high = np.minimum((found[:, :2] + found[:, 2:] / 2)[:, None], (truth[:, :2] + truth[:, 2:] / 2)[None])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    whole = found[:, 2:].prod(axis=1)[:, None] + truth[:, 2:].prod(axis=1)[None] - shared
    ious: Floats = np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0)
    return ious


def greedy(ious: Floats, thresholds: Floats = IOUS) -> Ints:
    """The true box that each box takes at each threshold, (thresholds, boxes), -1 for none.

    Boxes come by falling confidence; each takes the free true box that it covers best, of equal ones the last, as
    the COCO evaluation does.
    """
    taken = np.full((len(thresholds), ious.shape[0]), -1, dtype=np.int64)
    if not ious.size:
        return taken
    free = np.ones((len(thresholds), ious.shape[1]), dtype=bool)
    levels = np.arange(len(thresholds))
    for place in np.flatnonzero(ious.max(axis=1) >= thresholds.min()):
        left = np.where(free, ious[place][None], -1.0)
        best = left.shape[1] - 1 - left[:, ::-1].argmax(axis=1)
        takes = left[levels, best] >= np.minimum(thresholds, 1 - 1e-10)
        taken[takes, place] = best[takes]
        free[levels[takes], best[takes]] = False
    return taken


@dataclass(frozen=True)
class Ranked:
    """One class's boxes over all images by falling confidence. `hits` (thresholds, n): each stands for a true box.

    `image` (n,), `confidence` (n,); `truth` (images,): how many true boxes each image has.
    """

    image: Ints
    confidence: Floats
    hits: NDArray[np.bool_]
    truth: Ints


def ranked(holdout: Holdout, found: Boxes, most: int = MOST_BOXES) -> list[Ranked]:
    """Every class's boxes with their hits, at most `most` an image and class."""
    kept = _surest(found, most)
    found = Boxes(found.image[kept], found.kind[kept], found.box[kept], found.confidence[kept])
    hits = _hits(holdout, found)
    result = []
    for kind in range(len(holdout.class_ids)):
        mine = np.flatnonzero(found.kind == kind)
        order = mine[np.argsort(-found.confidence[mine], kind="stable")]
        true = holdout.truth.image[holdout.truth.kind == kind]
        result.append(
            Ranked(
                found.image[order],
                found.confidence[order],
                hits[:, order],
                np.bincount(true, minlength=holdout.images),
            )
        )
    return result


def _surest(found: Boxes, most: int) -> Ints:
    """The boxes that count, in the order of images and falling confidence, `most` of each image and class."""
    order = np.lexsort((np.arange(len(found)), -found.confidence, found.kind, found.image))
    image, kind = found.image[order], found.kind[order]
    starts = np.flatnonzero(np.r_[True, (image[1:] != image[:-1]) | (kind[1:] != kind[:-1])][: len(order)])
    rank = np.arange(len(order)) - np.repeat(starts, np.diff(np.r_[starts, len(order)]))
    kept = order[rank < most]
    resorted: Ints = kept[np.lexsort((kept, -found.confidence[kept], found.image[kept]))]
    return resorted


def _hits(holdout: Holdout, found: Boxes) -> NDArray[np.bool_]:
    """(thresholds, boxes): each box stands for a true box of its class and image."""
    hits = np.zeros((len(IOUS), len(found)), dtype=bool)
    classes = len(holdout.class_ids)
    truths = _groups(holdout.truth, classes)
    boxes = _groups(found, classes)
    for key, true in truths.items():
        mine = boxes.get(key)
        if mine is not None:
            hits[:, mine] = greedy(overlaps(found.box[mine], holdout.truth.box[true])) >= 0
    return hits


def _groups(boxes: Boxes, classes: int) -> dict[int, Ints]:
    """Positions of boxes by image and class, in their order."""
    if not len(boxes):
        return {}
    keys = boxes.image * classes + boxes.kind
    order = np.argsort(keys, kind="stable")
    cuts = np.flatnonzero(np.diff(keys[order])) + 1
    return {int(keys[part[0]]): part for part in np.split(order, cuts)}
