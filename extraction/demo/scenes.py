"""Scenes of real handwritten digits on paper, with exact truth; the same arguments, the same bytes.

Boxes are in pixels of the upright image, x and y being the centre.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from extraction.demo import paper
from extraction.demo.glyphs import SPLITS, Split, glyphs_of, ink_mask

WIDTH, HEIGHT = 640, 480
TRUTH_FILE = "truth.json"
DEMO_SEED = 7
DEMO_COUNT = 120
_DESKS = 12
_HOLDOUT_DESKS = (3, 7, 11)
_TOUCH = 0.04  # share of the smaller box that two boxes may have in common
_EDGE = 0.35  # ink coverage from which a pixel belongs to the digit's box


@dataclass(frozen=True)
class SceneBox:
    """One digit: its class name and its box, x and y the centre, in pixels."""

    digit: int
    glyph: int
    x: float
    y: float
    w: float
    h: float

    @property
    def class_name(self) -> str:
        return str(self.digit)

    def as_dict(self) -> dict[str, object]:
        return {"class": self.class_name, "x": self.x, "y": self.y, "w": self.w, "h": self.h}


@dataclass(frozen=True)
class Scene:
    """A picture (480, 640, 3) RGB uint8, its digits, and the desk it was taken at."""

    image: NDArray[np.uint8]
    boxes: tuple[SceneBox, ...]
    desk: str


@dataclass(frozen=True)
class SceneFile:
    """A written scene: the file, its true boxes, the glyph split and what the bucket is told of it."""

    path: Path
    split: Split
    boxes: tuple[SceneBox, ...]
    metadata: dict[str, str]


def draw_glyph(rng: np.random.Generator, glyph: int, height_px: float, degrees: float) -> NDArray[np.float32]:
    """Give a glyph's ink coverage (h, w) in 0..1, scaled and turned, cut to its ink."""
    mask = ink_mask(glyph)
    size = mask.shape[0]
    scale = height_px / (size * 0.8)
    side = int(np.ceil(height_px * 1.9)) + 8
    stretch = float(rng.uniform(0.68, 0.92))
    slant = float(rng.uniform(-0.12, 0.18))
    turn = np.deg2rad(degrees)
    rotate = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = scale * rotate @ np.array([[stretch, -slant], [0.0, 1.0]])
    shift = np.array([side / 2, side / 2]) - matrix @ np.array([size / 2, size / 2])
    warp = np.hstack([matrix, shift[:, None]]).astype(np.float32)
    drawn = cv2.warpAffine(mask, warp, (side, side), flags=cv2.INTER_AREA)
    rows = np.flatnonzero((drawn > _EDGE).any(axis=1))
    columns = np.flatnonzero((drawn > _EDGE).any(axis=0))
    if not len(rows):
        raise ValueError(f"glyph {glyph} has no ink at {height_px:.0f} px")
    cut: NDArray[np.float32] = drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return cut


def _free(box: tuple[int, int, int, int], taken: Iterable[tuple[int, int, int, int]]) -> bool:
    """Tell whether a box (left, top, width, height) px hardly touches those taken."""
    left, top, width, height = box
    for other_left, other_top, other_width, other_height in taken:
        across = min(left + width, other_left + other_width) - max(left, other_left)
        down = min(top + height, other_top + other_height) - max(top, other_top)
        if across > 0 and down > 0:
            smaller = min(width * height, other_width * other_height)
            if across * down > _TOUCH * smaller:
                return False
    return True


def ink(
    picture: paper.Picture,
    mask: NDArray[np.float32],
    at: tuple[int, int],
    colour: paper.Colour,
    strength: float,
) -> None:
    """Draw ink into the picture in place, the mask's corner at `at` (left, top) px."""
    left, top = at
    height, width = mask.shape
    under = picture[top : top + height, left : left + width]
    cover = (mask * strength)[..., None]
    under *= 1 - cover * (1 - np.asarray(colour, np.float32))


def _background(rng: np.random.Generator, desk: paper.Desk) -> paper.Picture:
    """Lay one large sheet, and now and then a note, on the desk."""
    picture = paper.surface(rng, desk.surface, HEIGHT, WIDTH)
    tone = paper.PAPERS[int(rng.integers(len(paper.PAPERS)))]
    size = (WIDTH * float(rng.uniform(0.88, 1.15)), HEIGHT * float(rng.uniform(0.88, 1.15)))
    centre = (WIDTH / 2 + float(rng.uniform(-18, 18)), HEIGHT / 2 + float(rng.uniform(-18, 18)))
    main = paper.sheet(rng, HEIGHT, WIDTH, tone)
    picture = paper.lay(picture, main, centre, size, float(rng.uniform(-5, 5)))
    for _ in range(int(rng.integers(0, 3))):
        note = paper.sheet(rng, HEIGHT, WIDTH, paper.PAPERS[int(rng.integers(3, 6))])
        side = float(rng.uniform(120, 190))
        where = (float(rng.uniform(90, WIDTH - 90)), float(rng.uniform(90, HEIGHT - 90)))
        picture = paper.lay(picture, note, where, (side, side), float(rng.uniform(-12, 12)))
    return np.ascontiguousarray(picture, np.float32)


def render_scene(
    *, split: Split, index: int, seed: int, digits: Sequence[int] = range(10), desk: int | None = None
) -> Scene:
    """Draw one scene of 4 to 12 digits, each from the split's own glyphs."""
    rng = np.random.default_rng([seed, SPLITS.index(split), index])
    stand = paper.desk_for(index % _DESKS if desk is None else desk)
    picture = _background(rng, stand)
    pen = paper.INKS[int(rng.integers(len(paper.INKS)))]
    boxes: list[SceneBox] = []
    taken: list[tuple[int, int, int, int]] = []
    for _ in range(int(rng.integers(4, 13))):
        digit = int(digits[int(rng.integers(len(digits)))])
        glyphs = glyphs_of(split, digit)
        glyph = glyphs[int(rng.integers(len(glyphs)))]
        height_px = float(np.exp(rng.uniform(np.log(44), np.log(128))))
        mask = draw_glyph(rng, glyph, height_px, float(rng.normal(0, 11)))
        height, width = mask.shape
        if rng.random() < 0.3:
            pen = paper.INKS[int(rng.integers(len(paper.INKS)))]
        strength = float(rng.uniform(0.55, 0.97))
        for _attempt in range(25):
            left = int(rng.integers(22, WIDTH - width - 22))
            top = int(rng.integers(22, HEIGHT - height - 22))
            if _free((left, top, width, height), taken):
                ink(picture, mask, (left, top), pen, strength)
                taken.append((left, top, width, height))
                centre = (left + width / 2, top + height / 2)
                boxes.append(SceneBox(digit, glyph, *centre, float(width), float(height)))
                break
    return Scene(paper.photograph(rng, picture, stand), tuple(boxes), stand.name)


def _write(folder: Path, name: str, scene: Scene, split: Split, index: int) -> SceneFile:
    """Write one scene as JPEG."""
    path = folder / name
    Image.fromarray(scene.image).save(path, quality=90)
    minute = index * 7
    taken_at = f"2026-05-{3 + minute // 1440:02d}T{minute // 60 % 24:02d}:{minute % 60:02d}:00Z"
    metadata = {"camera_id": scene.desk, "timestamp": taken_at}
    return SceneFile(path, split, scene.boxes, metadata)


def _write_truth(folder: Path, files: Sequence[SceneFile]) -> None:
    """Write the truth of all files beside them."""
    images = [
        {
            "file": file.path.name,
            "width": WIDTH,
            "height": HEIGHT,
            "split": file.split,
            "metadata": file.metadata,
            "boxes": [box.as_dict() for box in file.boxes],
        }
        for file in files
    ]
    body = {"bbox": "x, y are the centre, in pixels of the upright image", "images": images}
    (folder / TRUTH_FILE).write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")


def write_scenes(
    folder: Path, *, split: Split, count: int, seed: int, digits: Sequence[int] = range(10)
) -> list[SceneFile]:
    """Write `count` scenes as JPEG of 640×480, and `truth.json` with every box."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for index in range(count):
        scene = render_scene(split=split, index=index, seed=seed, digits=digits)
        files.append(_write(folder, f"scene_{index:04d}.jpg", scene, split, index))
    _write_truth(folder, files)
    return files


def write_demo_scenes(folder: Path, *, count: int = DEMO_COUNT, seed: int = DEMO_SEED) -> list[SceneFile]:
    """Write the demo's scenes, all ten digits, from twelve desks.

    Three of the desks only ever see holdout glyphs, so that a split by `camera_id` (the desk)
    keeps every glyph on one side.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for index in range(count):
        number = index % _DESKS
        split: Split = "holdout" if number in _HOLDOUT_DESKS else "demo"
        scene = render_scene(split=split, index=index, seed=seed, desk=number)
        files.append(_write(folder, f"desk_{number:02d}_{index:03d}.jpg", scene, split, index))
    _write_truth(folder, files)
    return files


def street_photographs() -> tuple[Path, Path]:
    """Give the two street photographs that ultralytics carries: bus.jpg and zidane.jpg.

    Found without importing the library, which takes seconds and is not for the web process.
    """
    from importlib.util import find_spec

    spec = find_spec("ultralytics")
    if spec is None or spec.origin is None:
        raise FileNotFoundError(
            "ultralytics is not installed; its pictures bus.jpg and zidane.jpg are wanted"
        )
    assets = Path(spec.origin).parent / "assets"
    return assets / "bus.jpg", assets / "zidane.jpg"
