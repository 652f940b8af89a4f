"""From what a package returned to checked rows. Boxes: x, y the centre, pixels of the upright image."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .text import class_name, is_storable

MIN_SIDE = 1e-3  # pixels
MIN_NORM = 1e-6
_KNOWN = ("class", "confidence", "bbox", "class_scores")


class BadOutput(ValueError):
    """What the package returned for one image cannot be stored; the message says why."""


@dataclass(frozen=True)
class VectorFeature:
    """An embedding feature that the package itself fills."""

    name: str
    dim: int
    metric: str


def vector_features(features: Sequence[Mapping[str, Any]]) -> list[VectorFeature]:
    """Give the manifest's embedding features, less those that the server's crop embedder fills."""
    return [
        VectorFeature(
            str(feature["feature_name"]),
            int(feature["embedding_dim"]),
            str(feature.get("distance_metric", "cosine")),
        )
        for feature in features
        if feature.get("feature_type") == "embedding" and feature.get("source") != "crop"
    ]


def check_detections(raw: Any, *, width: int, height: int) -> tuple[list[dict[str, Any]], list[int]]:
    """Check one image's detections, clip their boxes and sort them by falling confidence.

    Gives rows (class, confidence, x, y, w, h, class_scores, extra) and, for each, the place it had
    in `raw`. Raises BadOutput naming the detection.
    """
    if isinstance(raw, np.ndarray):
        raw = raw.tolist()
    if not isinstance(raw, (list, tuple)):
        raise BadOutput(f"detections must be a list for every image, not {type(raw).__name__}")
    rows = [_row(number, entry, width, height) for number, entry in enumerate(raw)]
    order = sorted(range(len(rows)), key=lambda place: -rows[place]["confidence"])
    return [rows[place] for place in order], order


def _row(number: int, entry: Any, width: int, height: int) -> dict[str, Any]:
    where = f"detection {number}"
    if not isinstance(entry, Mapping):
        raise BadOutput(
            f"{where} must be a mapping with class, confidence and bbox, not {type(entry).__name__}"
        )
    missing = [key for key in ("class", "confidence", "bbox") if key not in entry]
    if missing:
        raise BadOutput(f"{where} lacks {', '.join(missing)}")
    name = _name(entry["class"], f"{where}: class")
    confidence = _number(entry["confidence"], f"{where}: confidence")
    if not 0 <= confidence <= 1:
        raise BadOutput(f"{where}: confidence must be from 0 to 1, not {confidence:g}")
    x, y, w, h = _clipped(entry["bbox"], where, width, height)
    scores = entry.get("class_scores")
    extra = {str(key): value for key, value in entry.items() if key not in _KNOWN}
    return {
        "class": name, "confidence": confidence, "x": x, "y": y, "w": w, "h": h,
        "class_scores": None if scores is None else _scores(scores, where),
        "extra": _plain(extra, where),
    }  # fmt: skip


def _name(value: Any, what: str) -> str:
    try:
        return class_name(value, what)
    except ValueError as error:
        raise BadOutput(str(error)) from None


def _number(value: Any, what: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise BadOutput(f"{what} must be a number, not {str(value)[:60]!r}") from None
    if not math.isfinite(number):
        raise BadOutput(f"{what} must be finite, not {number}")
    return number


def _clipped(bbox: Any, where: str, width: int, height: int) -> tuple[float, float, float, float]:
    """Clip a box to the image. Raises BadOutput on NaN or where nothing of it is left."""
    if not isinstance(bbox, Mapping) or any(side not in bbox for side in "xywh"):
        raise BadOutput(f"{where}: bbox must be {{x, y, w, h}} with x, y the centre in pixels, not {bbox!r}")
    x, y, w, h = (_number(bbox[side], f"{where}: bbox.{side}") for side in "xywh")
    left, right = x - w / 2, x + w / 2
    top, bottom = y - h / 2, y + h / 2
    if left >= 0 and top >= 0 and right <= width and bottom <= height and w > MIN_SIDE and h > MIN_SIDE:
        return x, y, w, h
    left, right = max(0.0, left), min(float(width), right)
    top, bottom = max(0.0, top), min(float(height), bottom)
    if right - left <= MIN_SIDE or bottom - top <= MIN_SIDE:
        raise BadOutput(
            f"{where}: the box x={x:g} y={y:g} w={w:g} h={h:g} "
            f"has no area within the image of {width}×{height}"
        )
    return (left + right) / 2, (top + bottom) / 2, right - left, bottom - top


def _scores(scores: Any, where: str) -> dict[str, float]:
    if not isinstance(scores, Mapping):
        raise BadOutput(f"{where}: class_scores must map class names to probabilities, not {scores!r}")
    checked = {}
    for key, value in scores.items():
        name = _name(str(key), f"{where}: a name in class_scores")
        checked[name] = _number(value, f"{where}: class_scores.{name}")
    return checked


def _plain(extra: dict[str, Any], where: str) -> dict[str, Any]:
    if not extra:
        return extra
    try:
        text = json.dumps(extra, allow_nan=False, ensure_ascii=False, default=_number_like)
        plain: dict[str, Any] = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadOutput(f"{where}: its further fields cannot be written as JSON ({error})") from None
    # Only a NUL in a text is written so, or a backslash before u0000, which nobody needs.
    if "\\u0000" in text or not is_storable(text):
        raise BadOutput(f"{where}: its further fields have a NUL or a character that is no valid Unicode")
    return plain


def _number_like(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is no JSON value")


def check_vectors(raw: Any, feature: VectorFeature, order: Sequence[int]) -> NDArray[np.float16]:
    """Check one image's vectors: (1, dim) for one per image, (n, dim) for one per detection, sorted.

    One vector belongs to the surest detection, which is row 0. A zero or non-finite vector becomes
    a row of NaN: it must not be stored. Rows of a cosine feature are scaled to unit length. Without
    detections the result is (0, dim). Raises BadOutput on a wrong dimension or count.
    """
    count = len(order)
    if count == 0:
        return np.zeros((0, feature.dim), np.float16)
    try:
        vectors = np.asarray(raw if isinstance(raw, np.ndarray) else list(raw), np.float32)
    except (TypeError, ValueError):
        raise BadOutput(
            f"{feature.name} must be a vector of {feature.dim} numbers, or one per detection"
        ) from None
    single = vectors.ndim == 1
    if single:
        vectors = vectors[None]
    if vectors.ndim != 2 or vectors.shape[1] != feature.dim:
        raise BadOutput(
            f"{feature.name} must have {feature.dim} dimensions; "
            f"got shape {vectors[0].shape if single else vectors.shape}"
        )
    if not single and len(vectors) != count:
        raise BadOutput(
            f"{feature.name} holds {len(vectors)} vectors for {count} detections; "
            "one, or one per detection, is allowed"
        )
    return _storable(vectors if single else vectors[list(order)], feature.metric)


def _storable(vectors: NDArray[np.float32], metric: str) -> NDArray[np.float16]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    good = np.isfinite(lengths) & (lengths > MIN_NORM)
    scaled = vectors / np.where(good, lengths, 1) if metric == "cosine" else vectors
    with np.errstate(over="ignore"):
        halves = np.where(good, scaled, np.nan).astype(np.float16)
    halves[~np.isfinite(halves).all(axis=1)] = np.nan
    return halves
