"""A run's folder: copies of the frozen images with their labels, in the layout that ultralytics reads.

Copies, since ultralytics rewrites some JPEGs in place and writes caches beside labels. The holdout is left out
altogether: neither training nor the choice of the best epoch ever sees it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from django.conf import settings
from django.db.models import Sum

from mixcv.kernel import storage
from review.datasets.export.formats import yolo_labels
from review.datasets.export.reading import frozen_images
from review.datasets.models import DatasetBox, DatasetItem, DatasetVersion
from review.training.errors import DiskFull

SHARE, MOST_SHARE = 0.1, 0.25
# Start, last and best weights with the optimizer's state, each twice while it is copied, and the result.
_COPIES = 12
_SPARE = 256 * 1024 * 1024


@dataclass(frozen=True)
class Division:
    """File names of the images to train and to validate on. `by`: val, group or image, whatever divided them."""

    train: list[str]
    val: list[str]
    by: str
    holdout: int = 0
    boxes: int = 0


def root() -> Path:
    return Path(settings.MIXCV_HOME) / "training"


def folder_of(public_id: str) -> Path:
    return root() / public_id


def folders() -> dict[str, float]:
    """The runs that have a folder here, each with the seconds since anything was put into it."""
    now = time.time()
    there = root()
    return {one.name: now - one.stat().st_mtime for one in there.iterdir()} if there.is_dir() else {}


def divide(version: DatasetVersion, seed: int) -> Division:
    """Which images train and which choose the best epoch; the same seed divides the same way.

    Validation is what the version put there beside the holdout; else a tenth of the training images, whole groups
    where their groups allow it.
    """
    rows = DatasetItem.objects.filter(dataset_version=version).order_by("pk")
    used = rows.filter(holdout=False)
    train = list(
        used.filter(split=DatasetItem.Split.TRAIN).values_list(
            "file_name", "image__group_key", "image_sha256"
        )
    )
    val = list(used.filter(split=DatasetItem.Split.VAL).values_list("file_name", flat=True))
    boxes = DatasetBox.objects.filter(item__dataset_version=version, item__holdout=False).count()
    holdout = rows.filter(holdout=True).count()
    if val:
        return Division([name for name, _, _ in train], val, "val", holdout, boxes)
    taken, by = share(train, seed)
    return Division([name for name, _, _ in train if name not in taken], sorted(taken), by, holdout, boxes)


def share(images: Sequence[tuple[str, str, str]], seed: int) -> tuple[set[str], str]:
    """Of `(file name, group, hash)` the names that validate: a tenth, at least one, at most a quarter."""
    least, most = max(1, round(len(images) * SHARE)), max(1, int(len(images) * MOST_SHARE))
    groups: dict[str, list[str]] = {}
    for name, group, digest in images:
        groups.setdefault(f"g:{group}" if group else f"i:{digest}", []).append(name)
    taken: set[str] = set()
    for key in sorted(groups, key=lambda key: _order(key, seed)):
        if len(taken) >= least:
            break
        if len(taken) + len(groups[key]) <= most:
            taken.update(groups[key])
    if taken:
        return taken, "group" if any(group for _, group, _ in images) else "image"
    # Every group is too large to be spared: images of one group on both sides are better than no validation.
    ordered = sorted(images, key=lambda one: _order(one[2], seed))
    return {name for name, _, _ in ordered[:least]}, "image"


def _order(key: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}:{key}".encode()).digest()


def check_disk(version: DatasetVersion, weights_bytes: int) -> None:
    """Raises DiskFull where images and checkpoints would not fit."""
    images = version.items.filter(holdout=False).aggregate(n=Sum("image__working__size"))["n"] or 0
    needed = int(images) + _COPIES * weights_bytes + _SPARE
    place = root()
    place.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(place).free
    if free < needed:
        raise DiskFull(
            f"The run needs about {needed / 1e9:,.1f} GB for copies of its images and for checkpoints; the disk has "
            f"{free / 1e9:,.1f} GB free. Make room and start again.",
            details={"needed": needed, "free": free},
        )


def prepare(version: DatasetVersion, division: Division, folder: Path, classes: int) -> None:
    """Write `folder/data`; what is there already is the same and stays."""
    data = folder / "data"
    if (data / "data.yaml").exists():
        return
    new = folder / "data.part"
    shutil.rmtree(new, ignore_errors=True)
    parts = dict.fromkeys(division.val, "val") | dict.fromkeys(division.train, "train")
    for part in ("train", "val"):
        for kind in ("images", "labels"):
            (new / kind / part).mkdir(parents=True)
    for image in frozen_images(version):
        if image.holdout or image.file_name not in parts:
            continue
        part = parts[image.file_name]
        shutil.copyfile(storage.local_path(image.blob.storage_name), new / "images" / part / image.file_name)
        labels = new / "labels" / part / f"{Path(image.file_name).stem}.txt"
        labels.write_bytes(yolo_labels(image))
    (new / "data.yaml").write_text(_data_yaml(data, classes), encoding="utf-8")
    shutil.rmtree(data, ignore_errors=True)
    os.replace(new, data)


def _data_yaml(folder: Path, classes: int) -> str:
    """Classes by number: their names are put on the weights, see `process.trainer`."""
    body: dict[str, Any] = {
        "path": str(folder),
        "train": "images/train",
        "val": "images/val",
        "nc": classes,
        "names": {index: f"class {index}" for index in range(classes)},
    }
    text: str = yaml.safe_dump(body, sort_keys=False)
    return text
