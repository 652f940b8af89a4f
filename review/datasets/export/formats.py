"""The texts of YOLO and COCO. Pure functions over values.

YOLO: a line `class cx cy w h` per box, fractions of the upright image. COCO: `[left, top, w, h]` in pixels; a
category's id is the class's index plus one, since COCO counts from 1 and its converters take one off again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import yaml

from mixcv.kernel.geometry import Box
from review.datasets.export.reading import FrozenImage

# 12 digits of a fraction: exact to 1e-6 pixels on any image that there can be.
_DIGITS = 12
_FLUSH = 256


def yolo_labels(image: FrozenImage) -> bytes:
    """The label file of one image; empty for a background image."""
    lines = []
    for box in image.boxes:
        values = Box(box.cx, box.cy, box.w, box.h).as_yolo(image.width, image.height)
        lines.append(f"{box.class_index} " + " ".join(f"{min(value, 1.0):.{_DIGITS}f}" for value in values))
    return "".join(f"{line}\n" for line in lines).encode()


def yolo_yaml(classes: Sequence[Mapping[str, Any]]) -> bytes:
    """`data.yaml` as ultralytics reads it; without `path`, so that the folder may lie anywhere."""
    names = {one["index"]: one["name"] for one in classes}
    data = {"train": "images/train", "val": "images/val", "nc": len(names), "names": names}
    text: str = yaml.safe_dump(data, allow_unicode=True, sort_keys=False, width=10_000)
    return text.encode()


def coco_json(
    classes: Sequence[Mapping[str, Any]], images: Iterable[FrozenImage], again: Iterable[FrozenImage]
) -> Iterator[bytes]:
    """One split's COCO file, piece by piece. `again` are the same images, read a second time for their boxes."""
    categories = [{"id": one["index"] + 1, "name": one["name"], "supercategory": "object"} for one in classes]
    head = {"info": {"description": "Exported by mixcv"}, "licenses": [], "categories": categories}
    yield _json(head)[:-1] + b',"images":['
    yield from _joined(
        _json(
            {
                "id": image.number,
                "file_name": image.file_name,
                "width": image.width,
                "height": image.height,
            }
        )
        for image in images
    )
    yield b'],"annotations":['
    yield from _joined(_annotations(again))
    yield b"]}\n"


def _annotations(images: Iterable[FrozenImage]) -> Iterator[bytes]:
    number = 0
    for image in images:
        for box in image.boxes:
            number += 1
            yield _json(
                {
                    "id": number,
                    "image_id": image.number,
                    "category_id": box.class_index + 1,
                    "bbox": [box.cx - box.w / 2, box.cy - box.h / 2, box.w, box.h],
                    "area": box.w * box.h,
                    "iscrowd": 0,
                    "segmentation": [],
                }
            )


def _joined(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Separated by commas, some at a time."""
    kept: list[bytes] = []
    first = True
    for part in parts:
        kept.append(part if first else b"," + part)
        first = False
        if len(kept) >= _FLUSH:
            yield b"".join(kept)
            kept = []
    yield b"".join(kept)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
