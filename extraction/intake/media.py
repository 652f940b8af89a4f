"""Small pictures cut from working images, kept in a cache that may be emptied at any time."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from PIL import Image as Pillow

from extraction.intake.models import Image
from mixcv.kernel import storage
from mixcv.kernel.geometry import Box

THUMB_SIDE = 320
CROP_SIDES = (96, 192)
CONTEXT = 0.15
CACHE_BYTES = 2_000_000_000
_QUALITY = 82


def thumbnail(image: Image) -> bytes:
    """A JPEG whose long side has at most THUMB_SIDE pixels."""
    return _cached(image, f"thumb-{THUMB_SIDE}", lambda picture: _shrink(picture, THUMB_SIDE))


def crop(image: Image, box: Box, *, side: int) -> bytes:
    """A JPEG of `side` × `side` pixels around `box` (centre form, pixels of the upright image), with some context.

    The cut is a square inside the image where the image is large enough, and is filled up with grey where not.
    """
    area = crop_area(box, image.width, image.height)
    name = f"crop-{side}-{hashlib.sha256(repr(area).encode()).hexdigest()[:24]}"
    return _cached(image, name, lambda picture: _cut(picture, area, image.width, side))


def crop_area(box: Box, width: int, height: int) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of the square that a crop of `box` shows, in pixels of the image."""
    side = max(box.w, box.h) * (1 + 2 * CONTEXT)
    side = max(side, 8.0)
    left, top = box.cx - side / 2, box.cy - side / 2
    if side <= width:
        left = min(max(left, 0.0), width - side)
    if side <= height:
        top = min(max(top, 0.0), height - side)
    return round(left, 2), round(top, 2), round(left + side, 2), round(top + side, 2)


def trim_cache(limit: int = CACHE_BYTES) -> int:
    """Delete the files used longest ago until the cache takes at most `limit` bytes. Returns how many went."""
    files = []
    for folder, _, names in os.walk(_root()):
        for name in names:
            path = Path(folder) / name
            try:
                stat = path.stat()
            except FileNotFoundError:
                continue
            files.append((stat.st_mtime, stat.st_size, path))
    total, gone = sum(size for _, size, _ in files), 0
    for _, size, path in sorted(files):
        if total <= limit:
            break
        path.unlink(missing_ok=True)
        total -= size
        gone += 1
    return gone


def _root() -> Path:
    return Path(settings.MIXCV_CACHE) / "media"


def _cached(image: Image, name: str, make: Callable[[Pillow.Image], Pillow.Image]) -> bytes:
    sha = image.working.sha256
    path = _root() / sha[:2] / f"{sha[:40]}-{name}.jpg"
    try:
        data = path.read_bytes()
        os.utime(path)
        return data
    except FileNotFoundError:
        pass
    with storage.open_blob(image.working.storage_name) as file, Pillow.open(file) as picture:
        small = make(picture)
    out = io.BytesIO()
    small.save(out, "JPEG", quality=_QUALITY)
    storage.write_file(path, out.getvalue())
    return out.getvalue()


def _shrink(picture: Pillow.Image, side: int) -> Pillow.Image:
    # JPEG decodes straight to a half, quarter or eighth; the rest is resampled.
    picture.draft("RGB", (side * 2, side * 2))
    small = picture.convert("RGB")
    small.thumbnail((side, side), Pillow.Resampling.BILINEAR)
    return small


def _cut(
    picture: Pillow.Image, area: tuple[float, float, float, float], width: int, side: int
) -> Pillow.Image:
    span = area[2] - area[0]
    factor = min(1.0, side / span)
    picture.draft("RGB", (int(picture.width * factor) or 1, int(picture.height * factor) or 1))
    scale = picture.width / width
    left, top, right, bottom = (round(edge * scale) for edge in area)
    square = max(right - left, bottom - top, 1)
    ground = Pillow.new("RGB", (square, square), (40, 42, 46))
    inside = (max(left, 0), max(top, 0), min(left + square, picture.width), min(top + square, picture.height))
    if inside[2] > inside[0] and inside[3] > inside[1]:
        ground.paste(picture.crop(inside).convert("RGB"), (inside[0] - left, inside[1] - top))
    return ground.resize((side, side), Pillow.Resampling.BILINEAR)
