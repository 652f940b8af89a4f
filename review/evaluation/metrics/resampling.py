"""What the figures would be on other images: resampled whole, recombined from what each image gave.

Nothing is matched again: which boxes are hits is a matter of their image alone. A resample is a weight per image, and
weighted sums along the falling confidence give precision and recall. All weights one are the COCO evaluation itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from review.evaluation.metrics.arrays import Floats, Ints
from review.evaluation.metrics.matching import IOUS, Ranked

RESAMPLES = 1000
LEVELS = np.linspace(0.0, 1.0, 101)
_BLOCK = 2_000_000  # numbers at once: some tens of MiB


def image_weights(images: int, *, resamples: int = RESAMPLES, seed: int = 0) -> Floats:
    """How often each image is drawn, (resamples, images) float32; each row sums to `images`."""
    rng = np.random.default_rng(seed)
    weights = np.zeros((resamples, images), dtype=np.float32)
    for row in weights:
        row += np.bincount(rng.integers(0, images, images), minlength=images)
    return weights  # type: ignore[return-value]


@dataclass(frozen=True)
class Counts:
    """At the working threshold, per image: boxes that are hits, boxes in all, true boxes."""

    hits: Ints
    boxes: Ints
    truth: Ints


@dataclass(frozen=True)
class Replicates:
    """Figures under each row of weights; NaN where there is no truth. `ap` (resamples, classes, thresholds)."""

    ap: Floats
    precision: Floats
    recall: Floats

    @property
    def ap50_95(self) -> Floats:
        """(resamples, classes)"""
        means: Floats = self.ap.mean(axis=2)
        return means

    @property
    def map50_95(self) -> Floats:
        return _mean_of_known(self.ap50_95)

    @property
    def map50(self) -> Floats:
        return _mean_of_known(self.ap[:, :, 0])


def replicate(classes: Sequence[Ranked], counts: Counts, weights: Floats) -> Replicates:
    """The figures under each row of `weights` (resamples, images)."""
    ap = np.full((len(weights), len(classes), len(IOUS)), np.nan)
    for kind, one in enumerate(classes):
        if one.truth.any():
            ap[:, kind] = average_precision(one, weights)
    wide = weights.astype(np.float64)
    hits, boxes, truth = (wide @ numbers for numbers in (counts.hits, counts.boxes, counts.truth))
    return Replicates(ap=ap, precision=_share(hits, boxes), recall=_share(hits, truth))


def average_precision(one: Ranked, weights: Floats) -> Floats:
    """101-point AP of a class, (resamples, thresholds); NaN where no weighted image has truth.

    Precision rises only at hits, so that its envelope is known from them alone.
    """
    truth = weights @ one.truth.astype(weights.dtype)
    result = np.zeros((len(weights), len(IOUS)))
    for rows in _blocks(len(weights), max(len(one.image), 1)):
        drawn = weights[rows][:, one.image]
        passed = np.cumsum(drawn, axis=1, dtype=np.float64)
        for level, hits in enumerate(one.hits):
            places = np.flatnonzero(hits)
            if len(places):
                found = np.cumsum(drawn[:, places], axis=1, dtype=np.float64)
                result[rows, level] = _under(found, passed[:, places], truth[rows])
    result[truth == 0] = np.nan
    return result


def _under(found: Floats, passed: Floats, truth: Floats) -> Floats:
    """The mean over 101 recalls of the best precision from there on. `found`, `passed` (resamples, hits): the weight
    of hits, and of boxes, up to each hit."""
    precision = _share(found, passed, empty=0.0)
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    recall = _share(found, truth[:, None].astype(np.float64), empty=0.0)
    reached = np.searchsorted(LEVELS, recall.ravel(), side="right").reshape(recall.shape)
    steps = np.diff(reached, axis=1, prepend=0)
    area: Floats = (envelope * steps).sum(axis=1) / len(LEVELS)
    return area


def _blocks(rows: int, width: int) -> Iterator[slice]:
    size = max(1, _BLOCK // width)
    for start in range(0, rows, size):
        yield slice(start, min(rows, start + size))


def _share(part: Floats, whole: Floats, empty: float = np.nan) -> Floats:
    shape = np.broadcast_shapes(part.shape, whole.shape)
    known = np.broadcast_to(whole, shape) > 0
    shares: Floats = np.divide(part, whole, out=np.full(shape, empty), where=known)
    return shares


def _mean_of_known(values: Floats) -> Floats:
    known = ~np.isnan(values)
    return _share(np.where(known, values, 0.0).sum(axis=1), known.sum(axis=1).astype(np.float64))


def interval(values: Floats, share: float = 0.95) -> tuple[float, float] | None:
    """The middle `share` of the values that are known, or None where there are none."""
    known = values[~np.isnan(values)]
    if not known.size:
        return None
    low, high = np.quantile(known, [(1 - share) / 2, (1 + share) / 2])
    return float(low), float(high)
