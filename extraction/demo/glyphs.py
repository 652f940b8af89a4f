"""scikit-learn's 1,797 handwritten digits as ink masks, split so that no glyph is in two splits."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Split = Literal["train", "demo", "holdout"]
SPLITS: tuple[Split, ...] = ("train", "demo", "holdout")
_SHARES = (0.5, 0.3, 0.2)
_SPLIT_SEED = 20_261_124
MASK_SIZE = 144  # pixels, square
_PAD = 1


@lru_cache(maxsize=1)
def _digits() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Load intensities (1797, 8, 8) in 0..1 and the digit (1797,) of each."""
    from sklearn.datasets import load_digits  # heavy: kept out of the web process

    bunch = load_digits()
    return (bunch.images / 16.0).astype(np.float32), bunch.target.astype(np.int64)


@lru_cache(maxsize=64)
def glyphs_of(split: Split, digit: int) -> tuple[int, ...]:
    """Give the numbers (0..1796) of a split's glyphs of one digit; splits are disjoint.

    `train` made the shipped weights, `demo` is what people review, `holdout` only measures.
    """
    _, target = _digits()
    mine = np.flatnonzero(target == digit)
    order = np.random.default_rng([_SPLIT_SEED, digit]).permutation(mine)
    bounds = np.round(np.cumsum((0.0, *_SHARES)) * len(order)).astype(int)
    at = SPLITS.index(split)
    return tuple(int(number) for number in order[bounds[at] : bounds[at + 1]])


def digit_of(glyph: int) -> int:
    """Give the digit (0..9) that a glyph shows."""
    return int(_digits()[1][glyph])


@lru_cache(maxsize=2048)
def ink_mask(glyph: int) -> NDArray[np.float32]:
    """Give a glyph's ink coverage (144, 144) in 0..1, its strokes smooth as a pen's.

    The 8×8 intensities are stroke coverage, so interpolating them and cutting at a soft
    threshold gives back the outline of the stroke instead of blocks.
    """
    small = np.pad(_digits()[0][glyph], _PAD)
    large = cv2.resize(small, (MASK_SIZE, MASK_SIZE), interpolation=cv2.INTER_CUBIC)
    smooth = cv2.GaussianBlur(large, (0, 0), MASK_SIZE / 40)
    mask: NDArray[np.float32] = (1 / (1 + np.exp(-(smooth - 0.46) * 22))).astype(np.float32)
    mask[mask < 0.02] = 0.0
    return mask
