"""What the host tells a package: set once before the package is loaded, read through `current()`."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image


@dataclass
class HostContext:
    """Folders, weights and parameters of this host, and the images that are being decoded ahead."""

    weights: Path | None = None
    weights_dir: Path = Path()
    models_dir: Path | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    device: str | None = None
    package_dir: Path = Path()
    model_overrides: dict[str, str] = field(default_factory=dict)
    models_asked: set[str] = field(default_factory=set)
    prefetched: dict[str, Future[Image.Image]] = field(default_factory=dict)


_context = HostContext()


def configure(context: HostContext) -> None:
    """Set what `current()` gives."""
    global _context
    _context = context


def current() -> HostContext:
    """Give the host's context; outside a host, an empty one."""
    return _context


def detect_device() -> str:
    """Give the device asked for, else the best there is: cuda, mps or cpu."""
    if _context.device:
        return _context.device
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if torch.backends.mps.is_available():
        return "mps"
    return "cpu"
