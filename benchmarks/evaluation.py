"""Measuring versions on 1,000 images of 10 classes, 100 boxes each: seconds of each step, beside faster-coco-eval's."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import psutil

from review.evaluation.metrics.arrays import Boxes, Holdout, boxes_of
from review.evaluation.metrics.coco import coco_figures
from review.evaluation.metrics.matching import ranked
from review.evaluation.metrics.outcomes import Outcome, judge
from review.evaluation.metrics.resampling import RESAMPLES, Counts, image_weights, replicate
from review.evaluation.metrics.summary import SEED, compare, measure

IMAGES, CLASSES, BOXES, OBJECTS = 1_000, 10, 100, 8
BUDGET = 60.0  # of wall time, on two cores that may be busy
Rows = list[list[Any]]


def scenes(shift: float, seed: int = 0) -> tuple[list[Rows], list[Rows]]:
    """Truth, and what a detector would find of it, `shift` pixels off, among false alarms of little confidence."""
    rng, noise = np.random.default_rng(seed), np.random.default_rng(seed + 1)
    truths, founds = [], []
    for _ in range(IMAGES):
        truth = [
            [int(rng.integers(1, CLASSES + 1)), 1.0, *rng.uniform(40, 600, 2), *rng.uniform(20, 80, 2)]
            for _ in range(OBJECTS)
        ]
        found = [
            [row[0], float(noise.beta(4, 2)), row[2] + noise.normal(0, shift), row[3], row[4] * 1.05, row[5]]
            for row in truth
            if noise.random() < 0.9
        ]
        while len(found) < BOXES:
            where = [*noise.uniform(40, 600, 2), *noise.uniform(20, 80, 2)]
            found.append([int(noise.integers(1, CLASSES + 1)), float(noise.beta(1, 8)), *where])
        truths.append(truth)
        founds.append(sorted(found, key=lambda box: -box[1]))
    return truths, founds


def seconds(call: Callable[[], object]) -> tuple[float, Any]:
    began = time.perf_counter()
    result = call()
    return time.perf_counter() - began, result


def judged(truth: list[Rows], rows: list[Rows]) -> list[Outcome]:
    return [judge(*one, 0.25) for one in zip(truth, rows, strict=True)]


def resampled(holdout: Holdout, found: Boxes) -> object:
    none = np.zeros(holdout.images, dtype=np.int64)
    weights = image_weights(holdout.images, seed=SEED)
    return replicate(ranked(holdout, found), Counts(none, none, none), weights)


def main() -> None:
    keys = tuple(range(1, CLASSES + 1))
    classes = [{"class_id": key, "name": str(key), "colour": 1, "boxes": 0} for key in keys]
    measured, total = [], 0.0
    base = psutil.Process().memory_info().rss
    for shift in (6.0, 4.0):
        truth, rows = scenes(shift)
        holdout, found = Holdout(keys, IMAGES, boxes_of(truth, keys)), boxes_of(rows, keys)
        coco_figures(holdout, found)  # its import and first call
        judging, outcomes = seconds(partial(judged, truth, rows))
        own, _ = seconds(partial(coco_figures, holdout, found))
        again, _ = seconds(partial(resampled, holdout, found))
        whole, result = seconds(partial(measure, holdout, classes, found, outcomes, threshold=0.25))
        measured.append(result)
        total += judging + whole
        print(
            f"version: outcomes of images {judging:.2f} s, faster-coco-eval {own:.2f} s, matching and {RESAMPLES:,} "
            f"resamples {again:.2f} s ({again / own:.1f} ×), all figures {whole:.2f} s"
        )
    comparing, results = seconds(lambda: compare(*measured))
    total += comparing
    one = results["map50_95"]
    memory = (psutil.Process().memory_info().rss - base) / 2**20
    print(f"comparison {comparing:.3f} s: {one['difference']:+.4f} ({one['low']:+.4f} to {one['high']:+.4f})")
    print(
        f"two versions, {IMAGES:,} images × {CLASSES} classes × {BOXES} boxes: {total:.1f} s of {BUDGET:.0f} s, "
        f"{memory:.0f} MiB more memory, load {psutil.getloadavg()[0]:.1f}"
    )
    if total > BUDGET:
        raise SystemExit("over the budget")


if __name__ == "__main__":
    main()
