"""The COCO evaluation's own figures, by faster-coco-eval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from review.evaluation.metrics.arrays import Boxes, Floats, Holdout
from review.evaluation.metrics.matching import IOUS, MOST_BOXES

MOST_AT_ONCE = 100_000


@dataclass(frozen=True)
class CocoFigures:
    """Means over classes with truth, and per class `ap50_95`, `ap50`; -1 where there is no truth."""

    map50_95: float
    map50: float
    map75: float
    ar100: float
    ap50_95: list[float]
    ap50: list[float]


def coco_figures(holdout: Holdout, found: Boxes) -> CocoFigures:
    """mAP and recall of all boxes, at most 100 an image and class. For a worker: it loads faster-coco-eval.

    Some classes at a time, which changes no figure: each is evaluated apart, and a box takes it about 1 kB.
    """
    parts = [_evaluated(holdout, found, kinds) for kinds in _shares(holdout, found)]
    precision = np.concatenate([part[0] for part in parts], axis=2)
    recall = np.concatenate([part[1] for part in parts], axis=1)
    return CocoFigures(
        map50_95=_mean(precision),
        map50=_mean(precision[0]),
        map75=_mean(precision[5]),
        ar100=_mean(recall),
        ap50_95=[_mean(precision[:, :, kind]) for kind in range(precision.shape[2])],
        ap50=[_mean(precision[0, :, kind]) for kind in range(precision.shape[2])],
    )


def _shares(holdout: Holdout, found: Boxes) -> list[range]:
    """The classes' numbers in turn, as many together as have no more than so many boxes, or one alone."""
    classes = len(holdout.class_ids)
    sizes = np.bincount(found.kind, minlength=classes) + np.bincount(holdout.truth.kind, minlength=classes)
    shares, start = [], 0
    for kind in range(1, classes + 1):
        if kind == classes or sizes[start : kind + 1].sum() > MOST_AT_ONCE:
            shares.append(range(start, kind))
            start = kind
    return shares or [range(0)]


def _evaluated(holdout: Holdout, found: Boxes, kinds: range) -> tuple[Floats, Floats]:
    """Precision (IoU thresholds, recall levels, classes) and recall (IoU thresholds, classes) of some classes; -1
    where there is no truth."""
    from faster_coco_eval import COCO, COCOeval_faster  # heavy, and never needed in the web process

    found, true = _of(found, kinds), _of(holdout.truth, kinds)
    if not len(found):
        known = np.bincount(true.kind, minlength=len(kinds)) > 0
        none = np.where(known, 0.0, -1.0)
        return np.tile(none, (len(IOUS), 101, 1)), np.tile(none, (len(IOUS), 1))
    truth = COCO(_document(true, holdout.images, len(kinds)))
    run = COCOeval_faster(truth, truth.loadRes(_results(found)), "bbox", print_function=_quiet)
    run.params.maxDets = [1, 10, MOST_BOXES]
    run.evaluate()
    run.accumulate()
    # (IoU thresholds, recall levels, classes, areas, bounds on boxes)
    return np.asarray(run.eval["precision"])[:, :, :, 0, -1], np.asarray(run.eval["recall"])[:, :, 0, -1]


def _of(boxes: Boxes, kinds: range) -> Boxes:
    """Those of some classes, numbered from 0."""
    mine = (boxes.kind >= kinds.start) & (boxes.kind < kinds.stop)
    return Boxes(boxes.image[mine], boxes.kind[mine] - kinds.start, boxes.box[mine], boxes.confidence[mine])


def _quiet(*_: Any) -> None:
    """It prints progress otherwise."""


def _mean(values: Floats) -> float:
    known = values[values > -1]
    return float(known.mean()) if known.size else -1.0


def _document(truth: Boxes, images: int, classes: int) -> dict[str, Any]:
    return {
        "info": {},
        "images": [{"id": number + 1} for number in range(images)],
        "categories": [{"id": kind + 1, "name": str(kind)} for kind in range(classes)],
        "annotations": [
            {
                **_placed(truth, place),
                "id": place + 1,
                "iscrowd": 0,
                "area": float(truth.box[place, 2:].prod()),
            }
            for place in range(len(truth))
        ],
    }


def _results(found: Boxes) -> list[dict[str, Any]]:
    return [{**_placed(found, place), "score": float(found.confidence[place])} for place in range(len(found))]


def _placed(boxes: Boxes, place: int) -> dict[str, Any]:
    cx, cy, w, h = (float(value) for value in boxes.box[place])
    return {
        "image_id": int(boxes.image[place]) + 1,
        "category_id": int(boxes.kind[place]) + 1,
        "bbox": [cx - w / 2, cy - h / 2, w, h],
    }
