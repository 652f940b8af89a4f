"""Boxes: centre, width and height in pixels of the upright image.

Pure functions over values; everything that stores, draws or exports a box goes through here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mixcv.kernel.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Box:
    """`cx`, `cy` are the centre, `w`, `h` the size; pixels, origin at the top left of the upright image."""

    cx: float
    cy: float
    w: float
    h: float

    @property
    def corners(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom in pixels."""
        return self.cx - self.w / 2, self.cy - self.h / 2, self.cx + self.w / 2, self.cy + self.h / 2

    @classmethod
    def from_corners(cls, left: float, top: float, right: float, bottom: float) -> Box:
        return cls((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)

    def as_bbox(self) -> dict[str, float]:
        """The API's form: `{x, y, w, h}` with x, y the centre, pixels."""
        return {"x": self.cx, "y": self.cy, "w": self.w, "h": self.h}

    def as_yolo(self, width: int, height: int) -> tuple[float, float, float, float]:
        """Centre and size as fractions of an image of `width` × `height` pixels."""
        return self.cx / width, self.cy / height, self.w / width, self.h / height

    @classmethod
    def from_yolo(cls, x: float, y: float, w: float, h: float, width: int, height: int) -> Box:
        return cls(x * width, y * height, w * width, h * height)


def clip(box: Box, width: int, height: int, *, field: str = "bbox") -> Box:
    """The part of `box` that lies on an image of `width` × `height` pixels.

    A box that lies inside already comes back as it is, bit for bit. Raises InvalidInput when a number is not finite,
    when a side is not positive, or when nothing of the box lies on the image.
    """
    if not all(math.isfinite(value) for value in (box.cx, box.cy, box.w, box.h)):
        raise InvalidInput(
            "The box has a number that is not finite. Give x, y, w and h in pixels.", field=field
        )
    if box.w <= 0 or box.h <= 0:
        raise InvalidInput("The box has no area. w and h must be above 0 (pixels).", field=field)
    left, top, right, bottom = box.corners
    if left >= 0 and top >= 0 and right <= width and bottom <= height:
        return box
    left, top, right, bottom = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    if right - left <= 0 or bottom - top <= 0:
        raise InvalidInput(
            f"The box lies outside the image of {width} × {height} pixels. x and y are the box's centre.",
            field=field,
        )
    return Box.from_corners(left, top, right, bottom)


def parse_bbox(value: Any, *, field: str = "bbox") -> Box:
    """A box from the API's `{x, y, w, h}`. Raises InvalidInput naming the key that is missing or no number."""
    if not isinstance(value, Mapping):
        raise InvalidInput("A box is an object {x, y, w, h}: centre and size in pixels.", field=field)
    numbers = []
    for key in ("x", "y", "w", "h"):
        number = value.get(key)
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise InvalidInput(
                f"{key} of the box is {number!r}; it must be a number of pixels.", field=f"{field}.{key}"
            )
        try:
            numbers.append(float(number))
        except OverflowError:
            raise InvalidInput(
                f"{key} of the box is too large; it must be a number of pixels.", field=f"{field}.{key}"
            ) from None
    return Box(*numbers)


def iou(a: Box, b: Box) -> float:
    """Intersection over union, 0 to 1."""
    al, at, ar, ab = a.corners
    bl, bt, br, bb = b.corners
    shared = max(0.0, min(ar, br) - max(al, bl)) * max(0.0, min(ab, bb) - max(at, bt))
    union = a.w * a.h + b.w * b.h - shared
    return shared / union if union > 0 else 0.0
