"""Folders of pictures with truth in the three formats, whole and broken."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests import factories

SIZE = (320, 240)


def picture(folder: Path, name: str, *, seed: int | None = None, data: bytes | None = None) -> None:
    write(folder, name, factories.picture(*SIZE, seed=seed) if data is None else data)


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def yolo(
    folder: Path,
    labels: Mapping[str, str | None],
    *,
    names: Sequence[str] = ("bus", "person"),
    yaml: str | None = None,
) -> Path:
    """`labels`: path below `images` without an ending → lines of its label file; None: it has none."""
    listed = "\n".join(f"  {n}: {json.dumps(name)}" for n, name in enumerate(names))
    write(folder, "data.yaml", f"train: images\nval:\nnames:\n{listed}\n" if yaml is None else yaml)
    for stem, lines in labels.items():
        picture(folder, f"images/{stem}.jpg")
        if lines is not None:
            write(folder, f"labels/{stem}.txt", lines)
    return folder


def voc(
    boxes: Sequence[tuple[str, float, float, float, float]],
    *,
    filename: str = "a.jpg",
    size: tuple[int, int] | None = SIZE,
    path: str = "/home/somebody/else.jpg",
) -> str:
    """The XML of one picture."""
    told = f"<size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>" if size else ""
    objects = "".join(
        f"\n<object>\n<name>{name}</name>\n<bndbox><xmin>{left}</xmin><ymin>{top}</ymin>"
        f"<xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox>\n</object>"
        for name, left, top, right, bottom in boxes
    )
    return (
        f"<annotation>\n<filename>{filename}</filename>\n<path>{path}</path>\n{told}{objects}\n</annotation>"
    )


def coco(
    images: Sequence[Mapping[str, Any]],
    annotations: Sequence[Mapping[str, Any]],
    names: Mapping[int, str] | None = None,
) -> str:
    body = {
        "info": {"images": [1, 2]},
        "images": images,
        "annotations": annotations,
        "categories": [{"id": key, "name": name} for key, name in (names or {1: "bus", 2: "person"}).items()],
    }
    return json.dumps(body, indent=1)


def zipped(folder: Path, target: Path) -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder).as_posix())
    return target
