"""Ground truth of other tools, read without a row being touched."""

from __future__ import annotations

from pathlib import Path

from extraction.imports.formats import coco, voc, yolo
from extraction.imports.formats.base import Cost, Fault, NoTruth, Picture, RawBox, Reading
from extraction.imports.formats.placing import Frame, Placed, Placing, place, same
from extraction.imports.formats.tree import Tree

FORMATS = ("yolo", "coco", "voc")
_READERS = {"yolo": yolo.read, "coco": coco.read, "voc": voc.read}

__all__ = [
    "FORMATS",
    "Cost",
    "Fault",
    "Frame",
    "NoTruth",
    "Picture",
    "Placed",
    "Placing",
    "RawBox",
    "Reading",
    "Tree",
    "detect",
    "place",
    "read",
    "same",
]


def detect(tree: Tree) -> str:
    """The format of a tree: the first of data.yaml, COCO, VOC, label files with a list of names. Raises NoTruth."""
    if yolo.settings_of(tree):
        return "yolo"
    if coco.files_of(tree):
        return "coco"
    if voc.files_of(tree):
        return "voc"
    if yolo.names_file(tree) and any(path.lower().endswith(".txt") for path in tree.files):
        return "yolo"
    raise NoTruth(
        "No ground truth was found. Wanted is one of: data.yaml with label files (YOLO), a JSON file with images and "
        "annotations (COCO), XML files with an annotation each (Pascal VOC)."
    )


def read(root: Path, form: str = "auto") -> Reading:
    """All pictures of a folder with what is told of them. Raises NoTruth where there is nothing to import."""
    tree = Tree(root)
    if not tree.files:
        raise NoTruth("There are no files.")
    reading = _READERS[detect(tree) if form == "auto" else form](tree)
    if not reading.pictures:
        raise NoTruth("There are labels but no pictures beside them. Put both into one folder or zip.")
    for picture in reading.pictures:
        if picture.labels is None:
            reading.faults.append(
                Fault(picture.path, 0, "It has no label file and stays unseen.", Cost.KEPT, picture.path)
            )
    return reading
