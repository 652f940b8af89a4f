"""The files of an export, in a fixed order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from extraction.intake.models import Blob
from mixcv.kernel import storage
from mixcv.kernel.errors import InvalidInput
from review.datasets.export.formats import coco_json, yolo_labels, yolo_yaml
from review.datasets.export.manifest import manifest_lines
from review.datasets.export.reading import FrozenImage, frozen_images
from review.datasets.models import DatasetItem, DatasetVersion

_PIECE = 1 << 18
MANIFEST = "manifest.jsonl"


@dataclass(frozen=True)
class Entry:
    """A file by its path inside the export. `blob`: it is this blob's bytes. `large`: it may pass 2 GiB."""

    name: str
    pieces: Callable[[], Iterable[bytes]]
    blob: Blob | None = None
    large: bool = False


def entries_of(version: DatasetVersion, format: str) -> Iterator[Entry]:
    """Raises InvalidInput for a format that there is not."""
    if format not in FORMATS:
        raise InvalidInput(
            f"There is no format {format[:50]!r}. There are: {', '.join(FORMATS)}.", field="format"
        )
    return FORMATS[format](version)


def _yolo(version: DatasetVersion) -> Iterator[Entry]:
    data = yolo_yaml(version.classes)
    yield Entry("data.yaml", lambda: [data])
    yield _manifest(version)
    for image in frozen_images(version):
        yield _picture(image)
        labels = yolo_labels(image)
        stem = PurePosixPath(image.file_name).stem
        yield Entry(f"labels/{image.split}/{stem}.txt", lambda labels=labels: [labels])  # type: ignore[misc]


def _coco(version: DatasetVersion) -> Iterator[Entry]:
    yield _manifest(version)
    for split in DatasetItem.Split.values:
        yield Entry(
            f"annotations/{split}.json",
            lambda split=split: coco_json(  # type: ignore[misc]
                version.classes, frozen_images(version, split=split), frozen_images(version, split=split)
            ),
            large=True,
        )
    for image in frozen_images(version):
        yield _picture(image)


def _manifest(version: DatasetVersion) -> Entry:
    return Entry(MANIFEST, lambda: manifest_lines(version), large=True)


def _picture(image: FrozenImage) -> Entry:
    blob = image.blob
    return Entry(f"images/{image.split}/{image.file_name}", lambda: _read(blob), blob)


def _read(blob: Blob) -> Iterator[bytes]:
    with storage.open_blob(blob.storage_name) as file:
        while piece := file.read(_PIECE):
            yield piece


FORMATS: dict[str, Callable[[DatasetVersion], Iterator[Entry]]] = {"yolo": _yolo, "coco": _coco}
