"""What packages import as `engine`: the host puts this folder on a package's path."""

from __future__ import annotations

from pathlib import Path

SDK_PATH = Path(__file__).resolve().parent
