"""Cutting crops, and what every embedder has in common."""

from __future__ import annotations

import abc
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

DIM = 512
CONTEXT = 0.08  # of the box's size, added on every side
MIN_NORM = 1e-6

Pixels = NDArray[np.uint8]
Box = tuple[float, float, float, float]


class EmbedderWeightsMissing(RuntimeError):
    """The embedder's weights are neither on disk nor to be had; the message names file and folder."""


def crop_box(image: Pixels, box: Box, *, context: float = CONTEXT) -> Pixels:
    """Cut a box out of an image (H, W, 3), with a little of its surroundings.

    `box` is (x, y, w, h) in pixels of that image, x and y the centre. The crop is a view, at least
    one pixel wide and high, and never reaches outside the image.
    """
    height, width = image.shape[:2]
    x, y, w, h = box
    half_w, half_h = w * (0.5 + context), h * (0.5 + context)
    left = min(max(0, int(np.floor(x - half_w))), width - 1)
    top = min(max(0, int(np.floor(y - half_h))), height - 1)
    right = max(left + 1, min(width, int(np.ceil(x + half_w))))
    bottom = max(top + 1, min(height, int(np.ceil(y + half_h))))
    return image[top:bottom, left:right]


def letterbox(crop: Pixels, size: int) -> Pixels:
    """Fit a crop (h, w, 3) into (size, size, 3), keeping its shape; the rest is the colour of its rim."""
    height, width = crop.shape[:2]
    scale = size / max(height, width)
    new_w, new_h = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(crop, (new_w, new_h), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    rim = (
        small[0].mean(axis=0) + small[-1].mean(axis=0) + small[:, 0].mean(axis=0) + small[:, -1].mean(axis=0)
    ) / 4
    canvas = np.empty((size, size, 3), np.uint8)
    canvas[:] = rim.astype(np.uint8)
    left, top = (size - new_w) // 2, (size - new_h) // 2
    canvas[top : top + new_h, left : left + new_w] = small
    return canvas


def file_hash(path: Path) -> str:
    """Give a file's SHA-256 in hex."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


class TextsNotRead(RuntimeError):
    """This embedder has no side for texts."""


class CropEmbedder(abc.ABC):
    """Turns crops into unit vectors of 512 dimensions, compared by cosine.

    `embedder_id`, `version` and `weights_sha256` together name the vector space.
    """

    embedder_id: str
    version: str
    weights_sha256: str
    dim: int = DIM
    input_size: int
    batch_size: int = 128

    @abc.abstractmethod
    def _forward(self, batch: Pixels) -> NDArray[np.float32]:
        """Embed letterboxed crops (n, size, size, 3) RGB uint8; give (n, dim), any length."""

    def embed(self, crops: Sequence[Pixels]) -> NDArray[np.float16]:
        """Embed RGB crops of any size; give (n, 512) float16, each row of unit length.

        A row that came out as zero or not finite is all NaN: such a vector must not be stored.
        """
        if not crops:
            return np.zeros((0, self.dim), np.float16)
        rows = []
        for start in range(0, len(crops), self.batch_size):
            part = crops[start : start + self.batch_size]
            rows.append(self._forward(np.stack([letterbox(crop, self.input_size) for crop in part])))
        return unit_rows(np.concatenate(rows))

    def embed_boxes(self, image: Pixels, boxes: Sequence[Box]) -> NDArray[np.float16]:
        """Embed boxes (centre, pixels) of one RGB image; give (n, 512) float16."""
        return self.embed([crop_box(image, box) for box in boxes])

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float16]:
        """Embed texts into the space of the crops; give (n, 512) float16 like `embed`. Raises TextsNotRead."""
        raise TextsNotRead(f"The embedder {self.embedder_id} embeds pictures only.")

    def describe(self) -> dict[str, Any]:
        """Name the vector space."""
        return {
            "id": self.embedder_id,
            "version": self.version,
            "dim": self.dim,
            "weights_sha256": self.weights_sha256,
        }


def unit_rows(vectors: NDArray[np.float32]) -> NDArray[np.float16]:
    """Scale rows to unit length as float16; a zero or non-finite row becomes all NaN."""
    wide = np.asarray(vectors, np.float32)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    good = np.isfinite(lengths) & (lengths > MIN_NORM)
    unit = np.where(good, wide / np.where(good, lengths, 1), np.nan)
    result: NDArray[np.float16] = unit.astype(np.float16)
    return result
