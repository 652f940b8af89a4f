"""Where higher apps join in when truth decides about detections."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mixcv.kernel.registry import Registry

# Called with the keys of detections that imported truth has decided, inside that transaction.
detections_matched: Registry[Callable[[list[int]], None]] = Registry("detections matched")


@dataclass(frozen=True)
class Rematched:
    """Images that were matched anew: detections that are decided by that now, and those that are open again."""

    image_ids: list[int]
    decided_ids: list[int]
    open_ids: list[int]


# Called inside that transaction, with all current detections of the images locked.
images_rematched: Registry[Callable[[Rematched], None]] = Registry("images rematched")

# The same, once it is written how far the images are reviewed.
images_weighed: Registry[Callable[[Rematched], None]] = Registry("images weighed")
