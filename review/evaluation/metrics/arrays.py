"""One version's boxes on some images beside the truth, as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Boxes:
    """Boxes by image. `image` (n,) rising numbers of images from 0; `kind` (n,) positions in the list of classes;
    `box` (n, 4) centre, width, height in pixels of the upright image; `confidence` (n,) falling within an image."""

    image: Ints
    kind: Ints
    box: Floats
    confidence: Floats

    def __len__(self) -> int:
        return len(self.image)


@dataclass(frozen=True)
class Holdout:
    """The truth of `images` images and the classes' keys."""

    class_ids: tuple[int, ...]
    images: int
    truth: Boxes


def boxes_of(rows: Sequence[Sequence[Sequence[Any]]], class_ids: Sequence[int]) -> Boxes:
    """Boxes from `[class id, confidence, cx, cy, w, h]` lists, one list an image."""
    places: Mapping[int, int] = {key: place for place, key in enumerate(class_ids)}
    flat = [box for boxes in rows for box in boxes]
    values = np.array([box[1:6] for box in flat], dtype=np.float64).reshape(-1, 5)
    return Boxes(
        image=np.repeat(np.arange(len(rows)), [len(boxes) for boxes in rows]).astype(np.int64),
        kind=np.array([places[box[0]] for box in flat], dtype=np.int64),
        box=values[:, 1:],
        confidence=values[:, 0],
    )
