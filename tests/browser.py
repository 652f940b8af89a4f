"""Finds a Chromium and starts it."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def executable(own: str) -> str | None:
    """The browser to drive: `MIXCV_CHROMIUM`, the system's, Playwright's own; None where there is none."""
    if given := os.environ.get("MIXCV_CHROMIUM"):
        return given
    for name in _NAMES:
        if found := shutil.which(name):
            return found
    return own if Path(own).exists() else None


@contextlib.contextmanager
def launch_chromium() -> Iterator[Any]:
    with sync_playwright() as playwright:
        path = executable(playwright.chromium.executable_path)
        if path is None:
            pytest.fail(
                "There is no Chromium for the browser tests. `make browser` installs one.", pytrace=False
            )
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()
