"""Turning the host's frames into results."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from extraction.packages.host.spec import Detection, EmbedResult, ImageResult
from extraction.packages.host.wire import Frame


def image_results(frame: Frame) -> list[ImageResult]:
    """Cut a `detect` answer into one ImageResult per image."""
    taken = dict.fromkeys(frame.arrays, 0)

    def take(name: str, count: int) -> np.ndarray[Any, np.dtype[np.float16]]:
        start = taken[name]
        taken[name] += count
        return frame.arrays[name][start : start + count]

    results = []
    for image in frame.header["images"]:
        vectors = {name: take(f"feature:{name}", count) for name, count in image["vectors"].items()}
        rows = [_detection(row) for row in image["rows"]]
        crops = take("crop_embedding", len(rows))
        if image["error"] is not None:
            vectors = {}
        results.append(ImageResult(image["width"], image["height"], rows, vectors, crops, image["error"]))
    return results


def embed_results(frame: Frame) -> list[EmbedResult]:
    """Cut an `embed` answer into one EmbedResult per image."""
    results, start = [], 0
    for image in frame.header["images"]:
        count = len(image["rows"])
        results.append(EmbedResult(frame.arrays["crop_embedding"][start : start + count], image["error"]))
        start += count
    return results


def text_vectors(frame: Frame) -> NDArray[np.float16]:
    """The vectors of an `embed_texts` answer."""
    return frame.arrays["text_embedding"]


def _detection(row: dict[str, Any]) -> Detection:
    return Detection(
        row["class"],
        row["confidence"],
        row["x"],
        row["y"],
        row["w"],
        row["h"],
        row["class_scores"],
        row["extra"],
    )
