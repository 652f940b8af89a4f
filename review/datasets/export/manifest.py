"""What a version holds, as lines of JSON: its hash is the version's. It names no time and no number, so that two
versions of the same content have the same one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from review.datasets.export.reading import frozen_images
from review.datasets.models import DatasetVersion


def _line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def manifest_lines(version: DatasetVersion) -> Iterator[bytes]:
    """First the dataset, its policy and classes, then one line per image with its boxes (centre form, pixels)."""
    dataset = version.dataset
    yield _line(
        {
            "dataset": dataset.public_id,
            "extractor": dataset.extractor.name,
            "policy": version.policy,
            "seed": version.seed,
            "classes": [{"index": one["index"], "name": one["name"]} for one in version.classes],
        }
    )
    for image in frozen_images(version):
        yield _line(
            {
                "file": f"{image.split}/{image.file_name}",
                "sha256": image.sha256,
                "width": image.width,
                "height": image.height,
                "holdout": image.holdout,
                "rule": image.rule,
                "hard_negatives": image.hard_negatives,
                "boxes": [
                    {
                        "class": box.class_index,
                        "box": [box.cx, box.cy, box.w, box.h],
                        "origin": box.origin,
                        "annotation": box.annotation_id,
                        "version": box.annotation_version,
                    }
                    for box in image.boxes
                ],
            }
        )
