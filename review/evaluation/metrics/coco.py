"""The COCO evaluation's own figures, by faster-coco-eval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from review.evaluation.metrics.arrays import Boxes, Floats, Holdout
from review.evaluation.metrics.matching import MOST_BOXES


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
    """mAP and recall of all boxes, at most 100 an image and class. For a worker: it loads faster-coco-eval."""
    from faster_coco_eval import COCO, COCOeval_faster  # heavy, and never needed in the web process

    if not len(found):
        return _nothing_found(holdout)
    truth = COCO(_document(holdout))
    run = COCOeval_faster(truth, truth.loadRes(_results(found)), "bbox", print_function=_quiet)
    run.params.maxDets = [1, 10, MOST_BOXES]
    run.evaluate()
    run.accumulate()
    # (IoU thresholds, recall levels, classes, areas, bounds on boxes)
    precision: Floats = np.asarray(run.eval["precision"])[:, :, :, 0, -1]
    recall: Floats = np.asarray(run.eval["recall"])[:, :, 0, -1]
    return CocoFigures(
        map50_95=_mean(precision),
        map50=_mean(precision[0]),
        map75=_mean(precision[5]),
        ar100=_mean(recall),
        ap50_95=[_mean(precision[:, :, kind]) for kind in range(precision.shape[2])],
        ap50=[_mean(precision[0, :, kind]) for kind in range(precision.shape[2])],
    )


def _quiet(*_: Any) -> None:
    """It prints progress otherwise."""


def _mean(values: Floats) -> float:
    known = values[values > -1]
    return float(known.mean()) if known.size else -1.0


def _nothing_found(holdout: Holdout) -> CocoFigures:
    counts = np.bincount(holdout.truth.kind, minlength=len(holdout.class_ids))
    per_class = [0.0 if count else -1.0 for count in counts]
    whole = 0.0 if counts.any() else -1.0
    return CocoFigures(whole, whole, whole, whole, per_class, list(per_class))


def _document(holdout: Holdout) -> dict[str, Any]:
    truth = holdout.truth
    return {
        "info": {},
        "images": [{"id": number + 1} for number in range(holdout.images)],
        "categories": [{"id": kind + 1, "name": str(key)} for kind, key in enumerate(holdout.class_ids)],
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
