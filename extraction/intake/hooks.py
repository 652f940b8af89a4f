"""Where later rooms and higher apps join in when objects come in."""

from __future__ import annotations

from collections.abc import Callable

from extraction.intake.models import Bucket
from mixcv.kernel.registry import Registry

# Called with the keys of objects whose image is there, inside the transaction that made them ready.
objects_ready: Registry[Callable[[Bucket, list[int]], None]] = Registry("objects ready")
