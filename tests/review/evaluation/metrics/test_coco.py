"""The figures equal those of pycocotools, and what is resampled equals both where every image is drawn once."""

from __future__ import annotations

import numpy as np
import pytest

from review.evaluation.metrics import coco
from review.evaluation.metrics.arrays import boxes_of
from review.evaluation.metrics.coco import coco_figures
from review.evaluation.metrics.matching import ranked
from review.evaluation.metrics.resampling import Counts, replicate
from tests.review.evaluation.metrics.scenes import CLASSES, holdout_of, pycocotools_figures, random_scenes

BOX = [100.0, 100.0, 40.0, 40.0]


def crowded(boxes: int = 150):
    """More boxes on one image and class than count; the true one is the least sure of them."""
    far = [[7, 0.9 - n / 1000, 300.0 + n, 300.0, 8.0, 8.0] for n in range(boxes)]
    return [[[7, 1.0, *BOX]], [[7, 1.0, *BOX]]], [[*far, [7, 0.5, *BOX]], [[7, 0.4, *BOX]]]


AWKWARD = {
    "random": random_scenes(1),
    "ties in confidence": random_scenes(2, ties=True),
    "one class": random_scenes(3, classes=(7, 11)),
    "an empty image with a false alarm": ([[], [[7, 1.0, *BOX]]], [[[7, 0.8, *BOX]], [[7, 0.7, *BOX]]]),
    "an image without boxes": ([[[7, 1.0, *BOX]], [[7, 1.0, *BOX]]], [[], [[7, 0.7, *BOX]]]),
    "a class without truth": ([[[7, 1.0, *BOX]]], [[[40, 0.9, *BOX], [7, 0.7, *BOX]]]),
    "two boxes of one object": ([[[7, 1.0, *BOX]]], [[[7, 0.9, *BOX], [7, 0.8, *BOX]]]),
    "more boxes than count": crowded(),
    "two objects of one place": (
        [[[7, 1.0, *BOX], [7, 1.0, *BOX]]],
        [[[7, 0.9, *BOX], [7, 0.9, 101.0, 100.0, 40.0, 40.0]]],
    ),
    "two objects covered equally well": (
        [[[7, 1.0, *BOX], [7, 1.0, 110.0, 100.0, 40.0, 40.0]]],
        [[[7, 0.9, 105.0, 100.0, 40.0, 40.0], [7, 0.8, 118.0, 100.0, 40.0, 40.0]]],
    ),
    "an overlap of exactly one half": ([[[7, 1.0, *BOX]]], [[[7, 0.9, 100.0, 90.0, 40.0, 20.0]]]),
}


@pytest.mark.parametrize("name", AWKWARD)
def test_the_figures_equal_pycocotools(name):
    truth, found = AWKWARD[name]
    holdout, boxes = holdout_of(truth), boxes_of(found, CLASSES)
    theirs, ours = pycocotools_figures(holdout, boxes), coco_figures(holdout, boxes)
    for figure in ("map50_95", "map50", "map75", "ar100"):
        assert getattr(ours, figure) == pytest.approx(theirs[figure], abs=1e-3), figure
    assert ours.ap50_95 == pytest.approx(theirs["ap50_95"], abs=1e-3)
    assert ours.ap50 == pytest.approx(theirs["ap50"], abs=1e-3)


@pytest.mark.parametrize("name", AWKWARD)
def test_classes_evaluated_apart_give_the_same(name, monkeypatch):
    truth, found = AWKWARD[name]
    holdout, boxes = holdout_of(truth), boxes_of(found, CLASSES)
    together = coco_figures(holdout, boxes)
    monkeypatch.setattr(coco, "MOST_AT_ONCE", 1)
    assert len(coco._shares(holdout, boxes)) > 1
    assert coco_figures(holdout, boxes) == together


@pytest.mark.parametrize("name", AWKWARD)
def test_with_every_image_once_the_resample_is_the_evaluation(name):
    truth, found = AWKWARD[name]
    holdout, boxes = holdout_of(truth), boxes_of(found, CLASSES)
    none = np.zeros(holdout.images, dtype=np.int64)
    once = np.ones((1, holdout.images), dtype=np.float32)
    ours = replicate(ranked(holdout, boxes), Counts(none, none, none), once)
    theirs = coco_figures(holdout, boxes)
    assert ours.map50_95[0] == pytest.approx(theirs.map50_95, abs=1e-6)
    assert ours.map50[0] == pytest.approx(theirs.map50, abs=1e-6)
    known = [np.nan if value < 0 else value for value in theirs.ap50_95]
    assert ours.ap50_95[0].tolist() == pytest.approx(known, abs=1e-6, nan_ok=True)


def test_a_resample_is_the_evaluation_of_the_images_that_it_draws():
    truth, found = random_scenes(5)
    weights = np.random.default_rng(9).integers(0, 3, len(truth))
    drawn = [image for image, times in enumerate(weights) for _ in range(times)]
    theirs = coco_figures(
        holdout_of([truth[image] for image in drawn]), boxes_of([found[image] for image in drawn], CLASSES)
    )
    none = np.zeros(len(truth), dtype=np.int64)
    holdout = holdout_of(truth)
    rows = ranked(holdout, boxes_of(found, CLASSES))
    ours = replicate(rows, Counts(none, none, none), weights[None].astype(np.float32))
    assert ours.map50_95[0] == pytest.approx(theirs.map50_95, abs=1e-6)
    assert ours.ap50_95[0][:3].tolist() == pytest.approx(theirs.ap50_95[:3], abs=1e-6)


def test_nothing_found_at_all_is_nothing_and_not_unknown():
    holdout = holdout_of([[[7, 1.0, *BOX]], []])
    figures = coco_figures(holdout, boxes_of([[], []], CLASSES))
    assert (figures.map50_95, figures.ar100) == (0.0, 0.0)
    assert figures.ap50_95 == [0.0, -1.0, -1.0, -1.0]


def test_a_class_whose_images_are_not_drawn_is_unknown_and_not_bad():
    truth = [[[7, 1.0, *BOX]], [[11, 1.0, *BOX]]]
    found = [[[7, 0.9, *BOX]], [[11, 0.9, *BOX]]]
    holdout = holdout_of(truth)
    none = np.zeros(2, dtype=np.int64)
    weights = np.array([[2, 0], [0, 2]], dtype=np.float32)
    ours = replicate(ranked(holdout, boxes_of(found, CLASSES)), Counts(none, none, none), weights)
    assert np.isnan(ours.ap50_95[:, :2]).tolist() == [[False, True], [True, False]]
    assert ours.map50_95.tolist() == [1, 1]
