"""Where higher apps join in when truth decides about detections."""

from __future__ import annotations

from collections.abc import Callable

from mixcv.kernel.registry import Registry

# Called with the keys of detections that imported truth has decided, inside that transaction.
detections_matched: Registry[Callable[[list[int]], None]] = Registry("detections matched")
