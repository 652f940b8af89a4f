"""Where later rooms and higher apps join in when objects come in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from extraction.intake.models import Bucket
from mixcv.kernel.registry import Registry


@dataclass(frozen=True)
class Line:
    """One sentence for the person who put images in, with where to watch what follows."""

    text: str
    url: str = ""
    link: str = ""


# Called with the keys of objects whose image is there, inside the transaction that made them ready.
objects_ready: Registry[Callable[[Bucket, list[int]], None]] = Registry("objects ready")

# Called after an upload with the bucket: what happens to its new images now.
after_upload: Registry[Callable[[Bucket], list[Line]]] = Registry("after an upload")
