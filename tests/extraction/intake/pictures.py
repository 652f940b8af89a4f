"""Images of every kind, whole and broken, made on the spot."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image as Pillow


def pixels(width: int = 60, height: int = 40, seed: int = 0) -> Pillow.Image:
    """Four quarters of their own colours, so that every turn and mirror shows."""
    rng = np.random.default_rng(seed)
    grid = np.zeros((height, width, 3), np.uint8)
    corners = (
        rng.integers(0, 255, (4, 3))
        if seed
        else np.array([[250, 10, 10], [10, 250, 10], [10, 10, 250], [250, 250, 10]])
    )
    grid[: height // 2, : width // 2], grid[: height // 2, width // 2 :] = corners[0], corners[1]
    grid[height // 2 :, : width // 2], grid[height // 2 :, width // 2 :] = corners[2], corners[3]
    return Pillow.fromarray(grid)


def encode(picture: Pillow.Image | None = None, form: str = "JPEG", **options: Any) -> bytes:
    out = io.BytesIO()
    (picture or pixels()).save(out, form, **({"quality": 95} if form == "JPEG" else {}) | options)
    return out.getvalue()


def oriented(orientation: int, *, form: str = "JPEG") -> bytes:
    """A picture whose EXIF tag says how it is to be turned; written by hand, since Pillow refuses 65537."""
    kind, value = (
        (3, struct.pack(">HH", orientation, 0))
        if orientation < 65536
        else (4, struct.pack(">I", orientation))
    )
    tiff = b"MM\x00\x2a" + struct.pack(">IHHHI", 8, 1, 0x0112, kind, 1) + value + struct.pack(">I", 0)
    return encode(form=form, exif=b"Exif\x00\x00" + tiff)


def png_bomb(width: int = 60_000, height: int = 60_000) -> bytes:
    """A few bytes that say they are billions of pixels."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
