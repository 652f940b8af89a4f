"""An export on disk: a folder or a zip file, there under its name only when it is whole."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from mixcv.kernel import storage
from mixcv.kernel.errors import Conflict
from review.datasets.export.files import MANIFEST, Entry, entries_of
from review.datasets.export.zips import stream_zip
from review.datasets.models import DatasetVersion

Report = Callable[[int], None]


class TargetTaken(Conflict):
    """There is something else where the export should go."""

    code = "target_taken"


def export_folder(
    *,
    version: DatasetVersion,
    target: Path,
    format: str = "yolo",
    links: bool = False,
    report: Report | None = None,
) -> Path:
    """Write the version's files under `target`. Raises TargetTaken where that is there and not this very export.

    `links`: images are hard links into the store where it lies on the same file system. A program that writes into
    an image would then write into the store, so copies are the rule. A killed export leaves a hidden folder beside
    `target`, which the next one replaces.
    """
    if _is_there(version, target, format):
        return target
    part = _part_of(target)
    if part.exists():
        shutil.rmtree(part)
    made: set[Path] = set()
    images = 0
    for entry in entries_of(version, format):
        path = part / entry.name
        if path.parent not in made:
            path.parent.mkdir(parents=True, exist_ok=True)
            made.add(path.parent)
        if entry.blob is None:
            _write(entry, path)
            continue
        _place(storage.local_path(entry.blob.storage_name), path, links)
        images += 1
        if report:
            report(images)
    if target.exists():
        target.rmdir()
    os.replace(part, target)
    return target


def export_zip_file(
    *, version: DatasetVersion, target: Path, format: str = "yolo", report: Report | None = None
) -> Path:
    """Write the version's zip to `target`. Raises TargetTaken where there is a file already."""
    if target.exists():
        raise TargetTaken(f"{target} is there already. Remove it or choose another name.")
    part = _part_of(target)
    part.parent.mkdir(parents=True, exist_ok=True)
    images = 0

    def counted(entry: Entry) -> Entry:
        nonlocal images
        if entry.blob is not None:
            images += 1
            if report:
                report(images)
        return entry

    with part.open("wb") as file:
        for piece in stream_zip(counted(entry) for entry in entries_of(version, format)):
            file.write(piece)
    os.replace(part, target)
    return target


def _is_there(version: DatasetVersion, target: Path, format: str) -> bool:
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return False
    manifest = target / MANIFEST
    if (target / _MARK[format]).exists() and manifest.is_file():
        with manifest.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() == version.manifest_sha256:
                return True
    raise TargetTaken(f"{target} is there already and is not this export. Choose a new or empty folder.")


_MARK = {"yolo": "data.yaml", "coco": "annotations/train.json"}


def _part_of(target: Path) -> Path:
    return target.with_name(f".{target.name}.mixcv-part")


def _write(entry: Entry, path: Path) -> None:
    with path.open("wb") as file:
        for piece in entry.pieces():
            file.write(piece)


def _place(source: Path, path: Path, links: bool) -> None:
    if links:
        try:
            os.link(source, path)
            return
        except OSError:  # another file system, or one without links
            pass
    shutil.copyfile(source, path)
