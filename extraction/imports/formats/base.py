"""What readers of ground truth answer, whatever the format: pictures with their boxes, and what was wrong in files."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from mixcv.kernel.errors import InvalidInput

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"})
LONGEST_NAME = 200


class NoTruth(InvalidInput):
    """There is nothing in these files that could be imported."""

    code = "no_truth"


class Cost(StrEnum):
    """What a fault costs: nothing (`kept`), itself (`left_out`), or that the image can no longer count as complete,
    since an object that was meant is missing (`hidden`)."""

    KEPT = "kept"
    LEFT_OUT = "left_out"
    HIDDEN = "hidden"


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong in a file. `line` counts from 1; 0: it is about the file as a whole."""

    file: str
    line: int
    message: str
    cost: Cost = Cost.LEFT_OUT
    picture: str = ""


@dataclass(frozen=True, slots=True)
class RawBox:
    """A box as its file tells it, centre form: pixels of the size told, or (`fraction`) shares of the upright image."""

    class_name: str
    cx: float
    cy: float
    w: float
    h: float
    line: int
    fraction: bool = False


@dataclass(slots=True)
class Picture:
    """An image file and what is told of it.

    `labels`: the file that tells its boxes, none where it has none. `told`: that file could be read, so that an empty
    `boxes` means an empty image. `size`: width and height in pixels as that file says, None where it does not.
    `part`: train, val or test where the source says.
    """

    path: str
    labels: str | None = None
    told: bool = False
    boxes: list[RawBox] = field(default_factory=list)
    size: tuple[int, int] | None = None
    part: str = ""


@dataclass(slots=True)
class Reading:
    """A whole source. `names`: class names in the order in which the source gives them."""

    format: str
    names: list[str] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


PARTS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
    "holdout": "test",
}


def part_of(path: str) -> str:
    """train, val or test where a folder of the path is called so; the innermost decides."""
    for folder in reversed(path.lower().split("/")[:-1]):
        for word in (folder, *folder.replace("-", "_").split("_")):
            if part := PARTS.get(word.removesuffix("2017").removesuffix("2014")):
                return part
    return ""


def class_name(text: str) -> str | None:
    """The name without spaces around it; None where no class can be called so."""
    name = text.strip().strip("\ufeff").strip()
    usable = name and len(name) <= LONGEST_NAME and "\x00" not in name and _encodes(name)
    return name if usable else None


def _encodes(text: str) -> bool:
    """Halves of signs, which JSON can tell, can be stored nowhere."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_picture(path: str) -> bool:
    dot = path.rfind(".")
    return dot > 0 and path[dot:].lower() in PICTURES
