"""The server's crop embedders: a box of an image becomes a 512-dimensional unit vector.

`load_embedder("offline" | "clip", weights_dir=…, device=…)` gives one; torch is imported only then.
"""

from __future__ import annotations

from .base import DIM, CropEmbedder, EmbedderWeightsMissing, crop_box, letterbox
from .loading import EMBEDDERS, load_embedder

__all__ = [
    "DIM",
    "EMBEDDERS",
    "CropEmbedder",
    "EmbedderWeightsMissing",
    "crop_box",
    "letterbox",
    "load_embedder",
]
