"""Reading images: upright, RGB, in threads."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

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


def parallel_io(
    items: Sequence[Any],
    process_fn: Callable[[Any], Any] | None = None,
    max_workers: int | None = None,
) -> Any:
    """Do slow reading for many items at once, in threads.

    With `items` alone these are images: gives a list of them in order, upright RGB (PIL), the ones that the host began
    to decode already included. With `process_fn` gives its results by the item's index, as a dict. The host's threads
    are shared by all calls; `max_workers` lowers their number for this one. Raises what reading an item raises first,
    OSError for a bad image.
    """
    if process_fn is None:
        ahead = runtime.current().prefetched
        futures = [ahead.get(str(path)) or start_reading(path) for path in items]
        return [future.result() for future in futures]
    if max_workers is None or max_workers >= DECODE_THREADS:
        return dict(enumerate(decoder().map(process_fn, items)))
    with ThreadPoolExecutor(max(1, max_workers)) as few:
        return dict(enumerate(few.map(process_fn, items)))
