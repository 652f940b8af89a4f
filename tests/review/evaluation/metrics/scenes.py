"""Boxes beside a truth, made up by a seed, and the same as pycocotools reads them."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np

from review.evaluation.metrics.arrays import Boxes, Holdout, boxes_of

CLASSES = (7, 11, 12, 40)


def holdout_of(truth, class_ids=CLASSES) -> Holdout:
    return Holdout(tuple(class_ids), len(truth), boxes_of(truth, class_ids))


def random_scenes(seed: int = 0, images: int = 40, classes=CLASSES, objects: int = 6, ties: bool = False):
    """Truth and boxes, lists of `[class id, confidence, cx, cy, w, h]` an image: good, shifted and false ones."""
    rng = np.random.default_rng(seed)
    truths, founds = [], []
    for _ in range(images):
        truth, found = [], []
        for _ in range(rng.integers(0, objects + 1)):
            w, h = rng.uniform(10, 60, 2)
            cx, cy = rng.uniform(40, 280, 2)
            kind = int(rng.choice(classes[:-1]))  # the last has no truth
            truth.append([kind, 1.0, cx, cy, w, h])
            for _ in range(rng.integers(0, 3)):
                shift = rng.normal(0, 0.12, 4)
                named = int(rng.choice(classes)) if rng.random() < 0.15 else kind
                box = [cx + shift[0] * w, cy + shift[1] * h, w * (1 + shift[2]), h * (1 + shift[3])]
                found.append([named, rng.random(), *box])
        found += [
            [int(rng.choice(classes)), rng.random() * 0.6, *rng.uniform(40, 280, 2), *rng.uniform(10, 60, 2)]
            for _ in range(rng.integers(0, 4))
        ]
        if ties:
            found = [[kind, round(sure, 1), *box] for kind, sure, *box in found]
        truths.append(truth)
        founds.append(sorted(found, key=lambda box: -box[1]))
    return truths, founds


def pycocotools_figures(holdout: Holdout, found: Boxes) -> dict[str, Any]:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def placed(boxes, at):
        cx, cy, w, h = (float(value) for value in boxes.box[at])
        where = {"image_id": int(boxes.image[at]), "category_id": int(boxes.kind[at]) + 1}
        return {**where, "bbox": [cx - w / 2, cy - h / 2, w, h]}

    truth = holdout.truth
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "info": {},
            "images": [{"id": number} for number in range(holdout.images)],
            "categories": [{"id": kind + 1, "name": str(key)} for kind, key in enumerate(holdout.class_ids)],
            "annotations": [
                {**placed(truth, at), "id": at + 1, "iscrowd": 0, "area": float(truth.box[at, 2:].prod())}
                for at in range(len(truth))
            ],
        }
        coco.createIndex()
        results = [{**placed(found, at), "score": float(found.confidence[at])} for at in range(len(found))]
        run = COCOeval(coco, coco.loadRes(results), "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    precision = run.eval["precision"][:, :, :, 0, 2]

    def mean(values):
        return float(values[values > -1].mean()) if (values > -1).any() else -1.0

    return {
        "map50_95": run.stats[0],
        "map50": run.stats[1],
        "map75": run.stats[2],
        "ar100": run.stats[8],
        "ap50_95": [mean(precision[:, :, kind]) for kind in range(len(holdout.class_ids))],
        "ap50": [mean(precision[0, :, kind]) for kind in range(len(holdout.class_ids))],
    }
