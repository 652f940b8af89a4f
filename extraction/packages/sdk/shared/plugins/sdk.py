"""Reading many items at once."""

from __future__ import annotations

from engine.io import parallel_io, read_image

__all__ = ["parallel_io", "read_image"]
