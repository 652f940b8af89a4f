"""Ultralytics' published weights: looked for on disk, then asked for openly, once and bounded in time."""

from __future__ import annotations

import os
import re
import shutil
import urllib.request
from pathlib import Path

ASSETS = "https://github.com/ultralytics/assets/releases/download/v8.4.0"
TIMEOUT_S = 10.0
_PUBLISHED = re.compile(r"^(yolo|rtdetr|sam|mobile_sam|FastSAM|yoloe)[\w.-]*\.pt$")


class AssetMissing(FileNotFoundError):
    """Weights that are not on disk and cannot be fetched; the message names the file and the folder."""


def fetch_asset(name: str, folder: Path, *, timeout_s: float = TIMEOUT_S) -> Path:
    """Give `folder/name`, fetching it from ultralytics' published assets if it is not there.

    Raises AssetMissing where the name is not a published one or no hub answers.
    """
    target = folder / name
    if target.exists():
        return target
    if not _PUBLISHED.match(name):
        raise AssetMissing(f"The weights file {name} is not here. Put {name} into {folder}.")
    try:
        download(f"{ASSETS}/{name}", target, timeout_s=timeout_s)
    except OSError as error:
        raise AssetMissing(
            f"The weights file {name} is not here and no hub answers ({error}). Put {name} into {folder}."
        ) from error
    return target


def download(url: str, target: Path, *, timeout_s: float = TIMEOUT_S) -> None:
    """Fetch a file once, whole or not at all. Raises OSError where nobody answers in `timeout_s`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        with urllib.request.urlopen(url, timeout=timeout_s) as answer, partial.open("wb") as file:
            shutil.copyfileobj(answer, file)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def answer_ultralytics(weights_dir: Path) -> None:
    """Let `YOLO("name.pt")` find its weights in `weights_dir`, or fail with their name and folder."""
    from ultralytics.utils import downloads

    def attempt_download_asset(file: str | Path, *_: object, **__: object) -> str:
        wanted = Path(str(file).strip().replace("'", ""))
        return str(wanted if wanted.exists() else fetch_asset(wanted.name, weights_dir))

    downloads.attempt_download_asset = attempt_download_asset
