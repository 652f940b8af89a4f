"""Reading images: upright, RGB, in threads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageOps

from . import runtime

DECODE_THREADS = max(2, min(8, (os.cpu_count() or 2)))


def read_image(path: str | Path) -> Image.Image:
    """Decode one image whole, turned upright by its EXIF tag, as RGB. Raises OSError on a bad file."""
    with Image.open(path) as opened:
        opened.load()
        upright = ImageOps.exif_transpose(opened)
        return upright if upright.mode == "RGB" else upright.convert("RGB")


@lru_cache(maxsize=1)
def decoder() -> ThreadPoolExecutor:
    """Give the threads that decode."""
    return ThreadPoolExecutor(DECODE_THREADS, thread_name_prefix="decode")


def start_reading(path: str | Path) -> Future[Image.Image]:
    """Begin to decode an image in a thread."""
    return decoder().submit(read_image, path)


def parallel_io(paths: Sequence[str | Path], max_workers: int | None = None) -> list[Image.Image]:
    """Give the images of `paths` in order, upright RGB, decoded in threads.

    An image that the host began to decode already is taken from there. `max_workers` is accepted
    for compatibility; the host's threads are shared by all calls. Raises OSError on a bad file.
    """
    ahead = runtime.current().prefetched
    futures = [ahead.get(str(path)) or start_reading(path) for path in paths]
    return [future.result() for future in futures]
