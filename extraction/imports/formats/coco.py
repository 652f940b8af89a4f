"""COCO: one JSON file for many pictures, boxes as left, top, width, height in pixels.

A picture that the file lists without an annotation is an empty one. Several files, one a part, are read together.
"""

from __future__ import annotations

import bisect
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

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
from extraction.imports.formats.tree import MOST_JSON, Tree

_LISTS = ("images", "annotations", "categories")
_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


@dataclass(slots=True)
class Body:
    """The three lists of a COCO file, each entry with its line. `marks` says which of them are there."""

    marks: set[str] = field(default_factory=set)
    images: list[tuple[int, Any]] = field(default_factory=list)
    annotations: list[tuple[int, Any]] = field(default_factory=list)
    categories: list[tuple[int, Any]] = field(default_factory=list)


def files_of(tree: Tree) -> list[str]:
    """The JSON files that hold images and annotations, by a look at their text."""
    found = []
    for path in tree.files:
        if path.lower().endswith(".json"):
            try:
                text = tree.text(path, MOST_JSON)
            except NoTruth:
                continue
            if '"images"' in text and '"annotations"' in text:
                found.append(path)
    return found


def read(tree: Tree) -> Reading:
    """Raises NoTruth where none of the files can be read."""
    reading = Reading("coco")
    pictures: dict[str, Picture] = {}
    read_any = False
    for file in files_of(tree):
        try:
            body = parse(tree.text(file, MOST_JSON))
        except NoTruth as error:
            reading.faults.append(Fault(file, int(error.details.get("line", 0)), error.message, Cost.HIDDEN))
            continue
        read_any = True
        _File(tree, file, body, reading, pictures).read()
    if not read_any:
        first = reading.faults[0] if reading.faults else None
        raise NoTruth(
            f"{first.file}, line {first.line}: {first.message}" if first else "There is no COCO file."
        )
    for path in tree.pictures:
        if path not in pictures:
            pictures[path] = Picture(path, part=part_of(path))
    reading.names = list(dict.fromkeys(reading.names))
    reading.pictures = [pictures[path] for path in sorted(pictures)]
    return reading


class _File:
    """One COCO file on its way into a reading."""

    def __init__(
        self, tree: Tree, file: str, body: Body, reading: Reading, pictures: dict[str, Picture]
    ) -> None:
        self.tree, self.file, self.body = tree, file, body
        self.reading, self.pictures = reading, pictures
        self.names: dict[Any, str | None] = {}
        self.by_id: dict[Any, Picture | None] = {}
        self.part = _part_of_file(file)

    def read(self) -> None:
        for line, row in self.body.categories:
            self._category(line, row)
        for line, row in self.body.images:
            self._image(line, row)
        for line, row in self.body.annotations:
            self._annotation(line, row)

    def _say(self, line: int, message: str, cost: Cost, picture: Picture | None = None) -> None:
        self.reading.faults.append(
            Fault(self.file, line, message[:500], cost, picture.path if picture else "")
        )

    def _category(self, line: int, row: Any) -> None:
        key = _key(row)
        name = class_name(row["name"]) if isinstance(row, dict) and isinstance(row.get("name"), str) else None
        if key is None or name is None:
            self._say(line, f"The category has no id, or no name that can be used: {row!r}.", Cost.LEFT_OUT)
            return
        if key in self.names:
            self._say(line, f"The category {key} is there twice; the first stands.", Cost.LEFT_OUT)
            return
        self.names[key] = name
        self.reading.names.append(name)

    def _image(self, line: int, row: Any) -> None:
        key = _key(row)
        told = row.get("file_name") if isinstance(row, dict) else None
        if key is None or not isinstance(told, str) or not told.strip():
            self._say(line, "The image has no id or no file_name.", Cost.LEFT_OUT)
            return
        if key in self.by_id:
            self._say(line, f"The image id {key} is there twice; the first stands.", Cost.LEFT_OUT)
            return
        path = self.tree.picture(told, self.file, any_ending=True)
        if path is None:
            self.by_id[key] = None
            self._say(line, f"There is no picture {told!r}, or several fit alike.", Cost.LEFT_OUT)
            return
        known = self.pictures.get(path)
        if known and known.labels != self.file:
            self.by_id[key] = None
            self._say(line, f"{known.labels} tells of {path}, too; its boxes stand.", Cost.LEFT_OUT, known)
            return
        if known:
            self._say(line, f"{path} is listed twice; the boxes of both count.", Cost.KEPT, known)
        picture = known or Picture(path, self.file, told=True, part=self.part or part_of(path))
        picture.size = picture.size or _size(row)
        self.pictures[path] = self.by_id[key] = picture

    def _annotation(self, line: int, row: Any) -> None:
        if not isinstance(row, dict) or "image_id" not in row:
            self._say(line, "The annotation names no image.", Cost.LEFT_OUT)
            return
        place = _hashable(row["image_id"])
        if place not in self.by_id:
            self._say(line, f"There is no image {place!r}.", Cost.LEFT_OUT)
            return
        picture = self.by_id[place]
        if picture is None:
            return  # said at its image
        category = _hashable(row.get("category_id"))
        name = self.names.get(category)
        if name is None:
            self._say(line, f"There is no category {category!r}.", Cost.HIDDEN, picture)
            return
        if row.get("iscrowd") in (1, True, "1"):
            self._say(line, f"A crowd of {name} is no single object.", Cost.LEFT_OUT, picture)
            return
        values = _numbers(row.get("bbox"), 4)
        if values is None:
            values = self._around(row)
            if values is None:
                self._say(
                    line, f"bbox is {row.get('bbox')!r}; four numbers are wanted.", Cost.HIDDEN, picture
                )
                return
            self._say(line, "There is no bbox; the box around its outline was taken.", Cost.KEPT, picture)
        x, y, w, h = values
        if w < 0 or h < 0:
            x, y, w, h = min(x, x + w), min(y, y + h), abs(w), abs(h)
            self._say(line, "The box has a negative side and was turned round.", Cost.KEPT, picture)
        if w == 0 or h == 0:
            self._say(line, "The box has no width or no height.", Cost.LEFT_OUT, picture)
            return
        picture.boxes.append(RawBox(name, x + w / 2, y + h / 2, w, h, line))

    def _around(self, row: dict[str, Any]) -> list[float] | None:
        outline = row.get("segmentation")
        if not isinstance(outline, list):
            return None
        pieces = outline if outline and isinstance(outline[0], list) else [outline]
        xs: list[float] = []
        ys: list[float] = []
        for piece in pieces:
            values = _numbers(piece)
            if values is None or len(values) < 6 or len(values) % 2:
                return None
            xs += values[0::2]
            ys += values[1::2]
        return [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)] if xs else None


def _part_of_file(path: str) -> str:
    stem = path.rpartition("/")[2].lower().rpartition(".")[0]
    for word in re.split(r"[^a-z]+", stem):
        if word in PARTS:
            return PARTS[word]
    return part_of(path)


def _key(row: Any) -> Any:
    return _hashable(row.get("id")) if isinstance(row, dict) else None


def _hashable(value: Any) -> Any:
    """An id, with 7 and "7" the same; None for what is none."""
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else value
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _numbers(value: Any, count: int = 0) -> list[float] | None:
    if not isinstance(value, list) or (count and len(value) != count):
        return None
    numbers = []
    for one in value:
        if isinstance(one, bool) or not isinstance(one, int | float) or abs(one) > 1e12:
            return None
        if not math.isfinite(one):
            return None
        numbers.append(float(one))
    return numbers


def _size(row: dict[str, Any]) -> tuple[int, int] | None:
    values = _numbers([row.get("width"), row.get("height")])
    return (int(values[0]), int(values[1])) if values and min(values) > 0 else None


def parse(text: str) -> Body:
    """The lists of a COCO file with the lines of their entries. Raises NoTruth, with the line, for broken JSON."""
    ends = [match.start() for match in re.finditer("\n", text)]
    try:
        return _parse(text, ends)
    except json.JSONDecodeError as error:
        raise NoTruth(f"It is broken JSON: {error.msg}.", details={"line": error.lineno}) from None
    except (RecursionError, ValueError):  # also a number of thousands of digits
        raise NoTruth("It is nested too deep, or holds a number that is too long.") from None


def _parse(text: str, ends: list[int]) -> Body:
    body = Body()
    at = _expect(text, 0, "{")
    at = _skip(text, at)
    while text[at : at + 1] != "}":
        key, at = _DECODER.raw_decode(text, at)
        at = _skip(text, _expect(text, at, ":"))
        if key in _LISTS and text[at : at + 1] == "[":
            body.marks.add(key)
            rows = getattr(body, key)
            for start, row, end in _entries(text, at):
                if start >= 0:
                    rows.append((bisect.bisect_left(ends, start) + 1, row))
                at = end
        else:
            _, at = _DECODER.raw_decode(text, at)
        at = _skip(text, at)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
        elif text[at : at + 1] != "}":
            raise json.JSONDecodeError("a comma or } is missing", text, at)
    if missing := {"images", "annotations"} - body.marks:
        raise NoTruth(f"It has no list of {' and '.join(sorted(missing))}.")
    return body


def _entries(text: str, at: int) -> Iterator[tuple[int, Any, int]]:
    """Start, value and end of each entry of a list; at last -1, None and the place behind the list."""
    at = _skip(text, at + 1)
    while text[at : at + 1] != "]":
        start = at
        row, at = _DECODER.raw_decode(text, at)
        yield start, row, at
        at = _skip(text, at)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
        elif text[at : at + 1] != "]":
            raise json.JSONDecodeError("a comma or ] is missing", text, at)
    yield -1, None, at + 1


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _expect(text: str, at: int, sign: str) -> int:
    at = _skip(text, at)
    if text[at : at + 1] != sign:
        raise json.JSONDecodeError(f"{sign} is missing", text, at)
    return at + 1
