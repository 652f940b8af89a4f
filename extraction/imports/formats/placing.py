"""From boxes as a file tells them to boxes on the upright image, and what is odd about them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from extraction.imports.formats.base import Cost, Fault, Picture, RawBox
from mixcv.kernel.errors import InvalidInput
from mixcv.kernel.geometry import Box, clip, iou

SAME_WITHIN = 0.5  # pixels, each edge
_ALIKE = 0.85  # IoU from which two boxes of an image look like one object drawn twice
_TINY = 2.0
_WHOLE = 0.98
_ASPECT = 0.01
_OVERHANG = 1.0


@dataclass(frozen=True, slots=True)
class Frame:
    """An image as stored (width, height in pixels), and the EXIF orientation, 1 to 8, that makes it upright."""

    stored: tuple[int, int]
    orientation: int = 1

    @property
    def upright(self) -> tuple[int, int]:
        width, height = self.stored
        return (height, width) if self.orientation >= 5 else (width, height)


@dataclass(frozen=True, slots=True)
class Placed:
    """A box on the upright image, in pixels, centre form."""

    class_name: str
    box: Box
    line: int


@dataclass(frozen=True, slots=True)
class Placing:
    boxes: list[Placed]
    faults: list[Fault]


def place(picture: Picture, frame: Frame) -> Placing:
    """The picture's boxes on its upright image; those that cannot be are faults.

    Shares (YOLO) are of the upright image, as every tool that shows and trains on pictures turns them first. Pixels
    are of the size that the file says: the upright one, or the stored one, whose boxes are turned with the picture;
    another size of the same proportions is scaled; any other makes the boxes useless.
    """
    faults: list[Fault] = []
    file = picture.labels or picture.path
    scale, turned = (1.0, 1.0), False
    if not all(raw.fraction for raw in picture.boxes):
        found = _fit(picture, frame)
        if isinstance(found, str):
            return Placing([], [Fault(file, 0, found, Cost.HIDDEN, picture.path)])
        scale, turned, note = found
        if note:
            faults.append(Fault(file, 0, note, Cost.KEPT, picture.path))
    boxes: list[Placed] = []
    for raw in picture.boxes:
        try:
            box, notes = _one(raw, frame, scale, turned)
        except InvalidInput:
            message = "The box lies outside the picture."
            faults.append(Fault(file, raw.line, message, Cost.LEFT_OUT, picture.path))
            continue
        if twin := _twin(raw, box, boxes):
            message = f"The same box of {raw.class_name} stands in line {twin.line}."
            faults.append(Fault(file, raw.line, message, Cost.LEFT_OUT, picture.path))
            continue
        if alike := next((one for one in boxes if iou(one.box, box) >= _ALIKE), None):
            notes.append(
                f"It covers the box of {alike.class_name} in line {alike.line} almost whole "
                f"(IoU {iou(alike.box, box):.2f}); both were kept, look at them"
            )
        boxes.append(Placed(raw.class_name, box, raw.line))
        faults += [Fault(file, raw.line, f"{note}.", Cost.KEPT, picture.path) for note in notes]
    return Placing(boxes, faults)


def same(a: Box, b: Box) -> bool:
    """Whether each edge lies within half a pixel of the other's."""
    return all(abs(x - y) <= SAME_WITHIN for x, y in zip(a.corners, b.corners, strict=True))


def _twin(raw: RawBox, box: Box, boxes: Sequence[Placed]) -> Placed | None:
    return next((one for one in boxes if one.class_name == raw.class_name and same(one.box, box)), None)


def _fit(picture: Picture, frame: Frame) -> tuple[tuple[float, float], bool, str] | str:
    """Scale, whether boxes are turned with the picture, and a note; or words why nothing fits."""
    width, height = frame.upright
    if picture.size is None:
        return (1.0, 1.0), False, "It says no size of the picture; its pixels were taken as they are."
    if picture.size == frame.upright:
        return (1.0, 1.0), False, ""
    if picture.size == frame.stored:
        return (1.0, 1.0), True, "Its boxes are of the picture before turning, and were turned with it."
    told_width, told_height = picture.size
    scale = (width / told_width, height / told_height)
    said = f"It says {told_width} × {told_height} pixels, but the picture has {width} × {height}"
    if abs(scale[0] / scale[1] - 1) <= _ASPECT:
        return scale, False, f"{said}; its boxes were scaled."
    if (told_height, told_width) == (width, height) and all(_inside(raw, frame) for raw in picture.boxes):
        return (1.0, 1.0), False, f"{said}; all boxes fit the picture as it is, and were taken so."
    return f"{said}; its boxes fit neither, and none was taken."


def _inside(raw: RawBox, frame: Frame) -> bool:
    width, height = frame.upright
    left, top, right, bottom = Box(raw.cx, raw.cy, raw.w, raw.h).corners
    return left >= 0 and top >= 0 and right <= width and bottom <= height


def _one(raw: RawBox, frame: Frame, scale: tuple[float, float], turned: bool) -> tuple[Box, list[str]]:
    """Raises InvalidInput where nothing of the box lies on the image."""
    width, height = frame.upright
    if raw.fraction:
        box = Box.from_yolo(raw.cx, raw.cy, raw.w, raw.h, width, height)
    else:
        box = Box(raw.cx * scale[0], raw.cy * scale[1], raw.w * scale[0], raw.h * scale[1])
        if turned:
            box = turn(box, frame)
    notes = []
    left, top, right, bottom = box.corners
    if max(-left, -top, right - width, bottom - height) > _OVERHANG:
        notes.append("The box reached out of the picture and was cut at its edge")
    box = clip(box, width, height)
    if min(box.w, box.h) < _TINY:
        notes.append(f"The box is only {box.w:.1f} × {box.h:.1f} pixels")
    if box.w * box.h > _WHOLE * width * height:
        notes.append("The box covers the whole picture")
    return box, notes


def turn(box: Box, frame: Frame) -> Box:
    """A box on the stored image as it lies on the upright one."""
    width, height = frame.stored
    x, y = box.cx, box.cy
    cx, cy = {
        1: (x, y),
        2: (width - x, y),
        3: (width - x, height - y),
        4: (x, height - y),
        5: (y, x),
        6: (height - y, x),
        7: (height - y, width - x),
        8: (y, width - x),
    }[frame.orientation]
    w, h = (box.h, box.w) if frame.orientation >= 5 else (box.w, box.h)
    return Box(cx, cy, w, h)
