"""Pascal VOC: one XML file per picture, with the corners of its boxes in pixels.

`<filename>` names the picture; `<path>` is of the machine on which it was drawn, and is never followed. Corners are
taken as written, without a shift for VOC's counting from 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from extraction.imports.formats.base import (
    PARTS,
    Cost,
    Fault,
    NoTruth,
    Picture,
    RawBox,
    Reading,
    class_name,
    part_of,
)
from extraction.imports.formats.tree import Tree

_DEEPEST = 50
_LARGEST = 10**7  # pixels of a side


@dataclass(slots=True)
class Node:
    """An element with its line."""

    tag: str
    line: int
    text: str = ""
    children: list[Node] = field(default_factory=list)

    def all(self, tag: str) -> Iterator[Node]:
        return (child for child in self.children if child.tag == tag)

    def first(self, tag: str) -> Node | None:
        return next(self.all(tag), None)

    def value(self, tag: str) -> str:
        found = self.first(tag)
        return found.text.strip() if found else ""


def files_of(tree: Tree) -> list[str]:
    """The XML files that are annotations of pictures."""
    found = []
    for path in tree.files:
        if path.lower().endswith(".xml"):
            with tree.path(path).open("rb") as file:
                head = file.read(4096)
            # What is broken at its beginning is reported, not passed over.
            if b"annotation" in head.replace(b"\x00", b"").lower() or b"<" not in head:
                found.append(path)
    return found


def read(tree: Tree) -> Reading:
    reading = Reading("voc")
    parts = _parts(tree)
    pictures = {path: Picture(path) for path in tree.pictures}
    names: dict[str, None] = {}
    for file in files_of(tree):
        try:
            root = parse(tree.bytes(file))
        except NoTruth as error:
            line = int(error.details.get("line", 0))
            stem = tree.picture(file.rpartition("/")[2].rpartition(".")[0], file, any_ending=True)
            if stem:
                pictures[stem].labels = file
            reading.faults.append(Fault(file, line, error.message, Cost.HIDDEN, stem or ""))
            continue
        path = _picture_of(tree, file, root, reading)
        if path is None:
            continue
        picture = pictures[path]
        if picture.told:
            reading.faults.append(
                Fault(file, 1, f"{picture.labels} tells of {path}, too; its boxes stand.", picture=path)
            )
            continue
        picture.labels, picture.told = file, True
        picture.size = _size(root)
        for node in root.all("object"):
            box = _box(file, node, picture, reading)
            if box:
                picture.boxes.append(box)
                names.setdefault(box.class_name)
    for path, picture in pictures.items():
        stem = path.rpartition("/")[2].rpartition(".")[0].lower()
        picture.part = part_of(path) or parts.get(stem, "")
    reading.names, reading.pictures = list(names), list(pictures.values())
    return reading


def _picture_of(tree: Tree, file: str, root: Node, reading: Reading) -> str | None:
    told = root.value("filename")
    stem = file.rpartition("/")[2].rpartition(".")[0]
    if told and (found := tree.picture(told, file, any_ending=True)):
        return found
    found = tree.picture(stem, file, any_ending=True)
    line = node.line if (node := root.first("filename")) else 1
    if found is None:
        reading.faults.append(
            Fault(file, line, f"There is no picture {told or stem!r} for it, or several fit alike."[:300])
        )
    elif told:
        note = f"There is no picture {told!r}; {found}, which is called like this file, was taken."
        reading.faults.append(Fault(file, line, note[:300], Cost.KEPT, found))
    return found


def _size(root: Node) -> tuple[int, int] | None:
    node = root.first("size")
    if node is None:
        return None
    try:
        width, height = int(float(node.value("width"))), int(float(node.value("height")))
    except (ValueError, OverflowError):
        return None
    return (width, height) if 0 < width < _LARGEST and 0 < height < _LARGEST else None


def _box(file: str, node: Node, picture: Picture, reading: Reading) -> RawBox | None:
    def left_out(message: str, cost: Cost = Cost.HIDDEN) -> None:
        reading.faults.append(Fault(file, line, message[:500], cost, picture.path))

    line = node.line
    name = class_name(node.value("name"))
    if name is None:
        left_out(f"The object has no name that can be used: {node.value('name')[:40]!r}.")
        return None
    frame = node.first("bndbox")
    if frame is None:
        left_out("The object has no bndbox.")
        return None
    line = frame.line
    values = []
    for key in ("xmin", "ymin", "xmax", "ymax"):
        try:
            values.append(float(frame.value(key)))
        except ValueError:
            left_out(f"{key} is {frame.value(key)[:40]!r}; it must be a number of pixels.")
            return None
    if not all(math.isfinite(value) for value in values):
        left_out("A corner is not finite.")
        return None
    left, top, right, bottom = values
    if left > right or top > bottom:
        left, right = min(left, right), max(left, right)
        top, bottom = min(top, bottom), max(top, bottom)
        note = "The smaller corner is greater than the greater one; they were exchanged."
        reading.faults.append(Fault(file, line, note, Cost.KEPT, picture.path))
    if left == right or top == bottom:
        left_out("The box has no width or no height.", Cost.LEFT_OUT)
        return None
    return RawBox(name, (left + right) / 2, (top + bottom) / 2, right - left, bottom - top, line)


def _parts(tree: Tree) -> dict[str, str]:
    """The part of each picture by its stem, from lists like `ImageSets/Main/train.txt`."""
    parts: dict[str, str] = {}
    for path in tree.files:
        folders, _, name = path.lower().rpartition("/")
        part = PARTS.get(name.removesuffix(".txt")) if name.endswith(".txt") else None
        if part and {"imagesets", "main", "splits"} & set(folders.split("/")):
            try:
                lines = tree.text(path).splitlines()
            except NoTruth:
                continue
            for line in lines:
                words = line.split()
                if words:
                    stem = words[0].rpartition("/")[2].lower()
                    parts[stem.rpartition(".")[0] or stem] = part
    return parts


def parse(data: bytes) -> Node:
    """The root element, with lines. Raises NoTruth, with the line, for broken XML and for what no label file needs."""
    top = Node("", 0)
    stack = [top]
    parser = expat.ParserCreate()

    def start(tag: str, _attributes: dict[str, str]) -> None:
        if len(stack) > _DEEPEST:
            raise NoTruth("It is nested too deep.", details={"line": parser.CurrentLineNumber})
        node = Node(tag.lower(), parser.CurrentLineNumber)
        stack[-1].children.append(node)
        stack.append(node)

    def end(_tag: str) -> None:
        stack.pop()

    def text(piece: str) -> None:
        stack[-1].text += piece

    def doctype(*_: object) -> None:
        raise NoTruth("It declares a document type, which no label file needs.", details={"line": 1})

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = text, doctype
    parser.buffer_text = True
    try:
        parser.Parse(data.lstrip(), True)
    except expat.ExpatError as error:
        problem = expat.ErrorString(error.code)
        raise NoTruth(f"It is broken XML: {problem}.", details={"line": error.lineno}) from None
    except (ValueError, LookupError) as error:
        raise NoTruth(f"It cannot be read: {error}.") from None
    root = top.children[0]
    if root.tag != "annotation":
        raise NoTruth(f"Its root is <{root.tag}>; <annotation> is wanted.", details={"line": root.line})
    return root
