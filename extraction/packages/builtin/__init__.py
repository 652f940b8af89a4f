"""Packages and weights that ship with mixcv, in the very form of a user's."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).resolve().parent
SHIPPED_WEIGHTS = HERE / "weights"


def builtin_packages() -> dict[str, Path]:
    """Give the folder of each built-in package by its name."""
    return {folder.parent.name: folder.parent for folder in sorted(HERE.glob("*/manifest.py"))}
