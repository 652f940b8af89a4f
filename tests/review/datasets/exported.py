"""Exports as people read them."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from review.datasets.export import entries_of, stream_zip
from review.datasets.models import DatasetBox


def zipped(version, format="yolo"):
    return b"".join(stream_zip(entries_of(version, format)))


def read_zip(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def boxes_in(version):
    """`split/stem` → boxes as the database has them."""
    found = {f"{item.split}/{Path(item.file_name).stem}": (item, []) for item in version.items.all()}
    for box in DatasetBox.objects.filter(item__dataset_version=version).select_related("item"):
        found[f"{box.item.split}/{Path(box.item.file_name).stem}"][1].append(box)
    return found


def check_with_ultralytics(folder):
    from ultralytics.data.utils import check_det_dataset

    return check_det_dataset(str(folder / "data.yaml"), autodownload=False)


def load_with_ultralytics(folder, split):
    """As its trainer does: every image and label file verified; answers the labels and what was complained of."""
    from ultralytics.data.dataset import YOLODataset

    data = check_with_ultralytics(folder)
    loaded = YOLODataset(img_path=data[split], data=data, task="detect", augment=False, imgsz=64)
    return loaded.labels
