"""From arrays to the JSON that `review.evaluation.metrics` describes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from review.evaluation.metrics.arrays import Boxes, Floats, Holdout
from review.evaluation.metrics.coco import coco_figures
from review.evaluation.metrics.matching import Ranked, ranked
from review.evaluation.metrics.outcomes import IOU, Outcome
from review.evaluation.metrics.resampling import (
    LEVELS,
    Counts,
    Replicates,
    image_weights,
    interval,
    replicate,
)

SEED = 14
_DIGITS = 6


@dataclass(frozen=True)
class Measured:
    """`metrics` less what only the worker knows, and the resamples that comparisons are made of."""

    metrics: dict[str, Any]
    replicates: Replicates
    errors: list[int]


def measure(
    holdout: Holdout,
    classes: Sequence[Mapping[str, Any]],
    found: Boxes,
    outcomes: Sequence[Outcome],
    *,
    threshold: float,
    weights: Floats | None = None,
) -> Measured:
    """All figures of one version. `classes` as `Evaluation.classes`, `outcomes` one an image; see the package."""
    weights = image_weights(holdout.images, seed=SEED) if weights is None else weights
    coco = coco_figures(holdout, found)
    rows = ranked(holdout, found)
    counts = _counts(holdout, rows, threshold)
    replicates = replicate(rows, counts, weights)
    hits, boxes, truth = (int(one.sum()) for one in (counts.hits, counts.boxes, counts.truth))
    metrics = {
        "threshold": threshold,
        "iou": IOU,
        "images": holdout.images,
        "boxes": truth,
        "predictions": boxes,
        "map50_95": _known(coco.map50_95),
        "map50": _known(coco.map50),
        "map75": _known(coco.map75),
        "ar100": _known(coco.ar100),
        **_shares(hits, boxes, truth),
        "intervals": {
            name: _bounds(getattr(replicates, name)) for name in ("map50_95", "map50", "precision", "recall")
        },
        "counts": {"found": hits, "missed": truth - hits, "false": boxes - hits},
        "errors": {
            "misses": sum(len(one.missed) for one in outcomes),
            "false_alarms": sum(len(one.false) for one in outcomes),
            "wrong_classes": sum(len(one.wrong) for one in outcomes),
        },
        "classes": [
            {
                **one,
                "ap50_95": _known(coco.ap50_95[kind]),
                "ap50": _known(coco.ap50[kind]),
                **_class_shares(rows[kind], threshold),
                "interval": _bounds(replicates.ap50_95[:, kind]),
            }
            for kind, one in enumerate(classes)
        ],
        "matrix": _matrix(holdout, found, outcomes),
        "curves": _curves(holdout, rows),
    }
    return Measured(metrics, replicates, [one.errors for one in outcomes])


def compare(old: Measured, new: Measured) -> dict[str, Any]:
    """What changes from one version to another on the same images; see the package."""
    changed = np.sign(np.array(new.errors) - np.array(old.errors))
    pairs = zip(old.metrics["classes"], new.metrics["classes"], strict=True)
    return {
        **{
            name: _difference(
                old.metrics[name],
                new.metrics[name],
                getattr(new.replicates, name) - getattr(old.replicates, name),
            )
            for name in ("map50_95", "map50", "precision", "recall")
        },
        "classes": [
            {
                **{name: before[name] for name in ("class_id", "name", "colour", "boxes")},
                **_difference(
                    before["ap50_95"],
                    after["ap50_95"],
                    new.replicates.ap50_95[:, kind] - old.replicates.ap50_95[:, kind],
                ),
            }
            for kind, (before, after) in enumerate(pairs)
        ],
        "images": {
            "better": int((changed < 0).sum()),
            "worse": int((changed > 0).sum()),
            "same": int((changed == 0).sum()),
        },
        "resamples": len(new.replicates.precision),
        "seed": SEED,
    }


def _difference(old: float | None, new: float | None, values: Floats) -> dict[str, float | None]:
    low, high = _bounds(values) or (None, None)
    known = old is not None and new is not None
    return {
        "old": old,
        "new": new,
        "difference": round(new - old, _DIGITS) if known else None,  # type: ignore[operator]
        "low": low if known else None,
        "high": high if known else None,
    }


def _known(value: float) -> float | None:
    return None if value < 0 else round(value, _DIGITS)


def _bounds(values: Floats) -> list[float] | None:
    found = interval(values)
    return [round(bound, _DIGITS) for bound in found] if found else None


def _shares(hits: int, boxes: int, truth: int) -> dict[str, float | None]:
    both = boxes + truth
    return {
        "precision": round(hits / boxes, _DIGITS) if boxes else None,
        "recall": round(hits / truth, _DIGITS) if truth else None,
        "f1": round(2 * hits / both, _DIGITS) if both else None,
    }


def _class_shares(one: Ranked, threshold: float) -> dict[str, float | None]:
    counted = one.confidence >= threshold
    return _shares(int(one.hits[0][counted].sum()), int(counted.sum()), int(one.truth.sum()))


def _counts(holdout: Holdout, rows: Sequence[Ranked], threshold: float) -> Counts:
    hits, boxes, truth = (np.zeros(holdout.images, dtype=np.int64) for _ in range(3))
    for one in rows:
        counted = one.confidence >= threshold
        boxes += np.bincount(one.image[counted], minlength=holdout.images)
        hits += np.bincount(one.image[counted & one.hits[0]], minlength=holdout.images)
        truth += one.truth
    return Counts(hits, boxes, truth)


def _matrix(holdout: Holdout, found: Boxes, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Counts by class of the truth and class found; the last of each is none."""
    none = len(holdout.class_ids)
    rows = np.zeros((none + 1, none + 1), dtype=np.int64)
    true_from = np.searchsorted(holdout.truth.image, np.arange(holdout.images))
    found_from = np.searchsorted(found.image, np.arange(holdout.images))
    for image, one in enumerate(outcomes):
        true, boxes = holdout.truth.kind[true_from[image] :], found.kind[found_from[image] :]
        for truth, box in (*one.found, *one.wrong):
            rows[true[truth], boxes[box]] += 1
        for truth in one.missed:
            rows[true[truth], none] += 1
        for box in one.false:
            rows[none, boxes[box]] += 1
    return {"class_ids": [*holdout.class_ids, None], "rows": rows.tolist()}


def _curves(holdout: Holdout, rows: Sequence[Ranked]) -> list[dict[str, Any]]:
    """Precision and recall along the falling confidence at IoU 0.5: of all boxes, then of each class with truth."""
    confidence = np.concatenate([one.confidence for one in rows]) if rows else np.zeros(0)
    hits = np.concatenate([one.hits[0] for one in rows]) if rows else np.zeros(0, dtype=bool)
    truth = sum(int(one.truth.sum()) for one in rows)
    curves: list[dict[str, Any]] = [{"class_id": None, "points": curve(confidence, hits, truth)}]
    for key, one in zip(holdout.class_ids, rows, strict=True):
        if one.truth.any():
            points = curve(one.confidence, one.hits[0], int(one.truth.sum()))
            curves.append({"class_id": key, "points": points})
    return curves


def curve(confidence: Floats, hits: Any, truth: int) -> list[list[float]]:
    """`[recall, precision, threshold]` by falling threshold, 101 at most; each is what holds at its threshold."""
    if not len(confidence) or not truth:
        return []
    order = np.argsort(-confidence, kind="stable")
    confidence, found = confidence[order], np.cumsum(hits[order])
    # Boxes of one confidence come in together, so that only the last of them is a point.
    last = np.flatnonzero(np.r_[confidence[1:] != confidence[:-1], True])
    recall, precision = found[last] / truth, found[last] / (last + 1)
    places = np.unique(np.searchsorted(recall, LEVELS, side="left"))
    places = places[places < len(last)]
    return [
        [round(float(recall[at]), 5), round(float(precision[at]), 5), float(confidence[last[at]])]
        for at in places
    ]
