"""Where later rooms and higher apps join in when objects come in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from extraction.intake.models import Bucket, Image
from mixcv.kernel.registry import Registry
from mixcv.tenancy.request import AppRequest

# Called with the keys of objects whose image is there, inside the transaction that made them ready.
objects_ready: Registry[Callable[[Bucket, list[int]], None]] = Registry("objects ready")

# Called when metadata, key or image of objects changed, inside that transaction.
objects_changed: Registry[Callable[[Bucket, list[int]], None]] = Registry("objects changed")

# Called before objects are deleted, inside that transaction; raises where they must stay.
objects_leaving: Registry[Callable[[Bucket, list[int]], None]] = Registry("objects leaving")

# Called before a bucket is deleted, inside that transaction; raises where it must stay.
bucket_leaving: Registry[Callable[[Bucket], None]] = Registry("bucket leaving")


@dataclass(frozen=True)
class ImagePanel:
    """What a higher app shows beside a picture: its template, and what that is given as `panel`."""

    template: str
    values: dict[str, Any]


# Asked for every picture page; None: nothing to show.
image_panels: Registry[Callable[[AppRequest, Image], ImagePanel | None]] = Registry("image panels")
