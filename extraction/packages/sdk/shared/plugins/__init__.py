"""What packages import as `shared.plugins`."""

from __future__ import annotations

from engine.assets import download_asset, open_asset

__all__ = ["download_asset", "open_asset"]
