"""Pictures with exact truth, apart as pool and holdout: the demo's scenes, or a folder of YOLO, COCO or VOC."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import yaml
from PIL import Image

from extraction.demo.scenes import HEIGHT, WIDTH, SceneFile, write_scenes
from extraction.imports.formats import Cost, Frame, Picture, Reading, place, read
from mixcv.kernel.geometry import Box

ORIENTATION = 0x0112  # EXIF
POOL_SEED, HOLDOUT_SEED = 1401, 2801
HOLDOUT_SHARE = 0.2  # of a folder that says of no picture that it is to test with


@dataclass(frozen=True)
class Thing:
    """One real object: its class, and its box in pixels of the upright image, centre form."""

    class_name: str
    box: Box


@dataclass(frozen=True)
class Known:
    """A picture and all that is on it. `name` is its own among all pictures; width and height as shown upright."""

    name: str
    path: Path
    width: int
    height: int
    things: tuple[Thing, ...]

    @property
    def stem(self) -> str:
        return self.name.rpartition(".")[0]


@dataclass(frozen=True)
class Task:
    """What is to be learnt: pictures to review, and pictures that only ever measure."""

    name: str
    classes: tuple[str, ...]
    pool: tuple[Known, ...]
    holdout: tuple[Known, ...]


def digits(folder: Path, *, pool: int, holdout: int, draw: int = 0) -> Task:
    """Scenes of all ten digits, of glyphs that the shipped weights have not seen; none is in both parts.

    Another `draw` gives other scenes: settings are chosen on those.
    """
    return Task(
        "digits",
        tuple(str(digit) for digit in range(10)),
        tuple(
            _scenes(write_scenes(folder / "pool", split="demo", count=pool, seed=POOL_SEED + draw), "pool")
        ),
        tuple(
            _scenes(
                write_scenes(folder / "holdout", split="holdout", count=holdout, seed=HOLDOUT_SEED + draw),
                "hold",
            )
        ),
    )


def _scenes(files: Iterable[SceneFile], prefix: str) -> Iterable[Known]:
    for file in files:
        things = tuple(Thing(box.class_name, Box(box.x, box.y, box.w, box.h)) for box in file.boxes)
        yield Known(f"{prefix}_{file.path.name}", file.path, WIDTH, HEIGHT, things)


def folder_of(root: Path, *, pool: int = 0, holdout: int = 0) -> Task:
    """The pictures of a folder whose label file could be read whole; the others are left out.

    Its test part measures; without one its validation part, and without that a fifth, by content. `pool` and
    `holdout` bound how many are taken, 0: all. Raises NoTruth.
    """
    reading = read(root)
    hidden = {fault.picture for fault in reading.faults if fault.cost == Cost.HIDDEN}
    parts = {picture.part for picture in reading.pictures}
    told = next((part for part in ("test", "val") if part in parts), "")
    chosen: dict[bool, list[Known]] = {True: [], False: []}
    seen: set[str] = set()
    # Those that measure come first: a picture that is in both parts is never trained on.
    for picture in sorted(reading.pictures, key=lambda one: (one.part != told, one.path)):
        if not picture.told or picture.path in hidden:
            continue
        digest = hashlib.sha256((root / picture.path).read_bytes()).hexdigest()
        if digest in seen or (known := _known(root, picture, len(seen))) is None:
            continue
        seen.add(digest)
        chosen[picture.part == told if told else int(digest[:8], 16) / 2**32 < HOLDOUT_SHARE].append(known)
    return Task(
        root.name,
        _names(reading),
        tuple(chosen[False][: pool or None]),
        tuple(chosen[True][: holdout or None]),
    )


def _names(reading: Reading) -> tuple[str, ...]:
    used = {box.class_name: None for picture in reading.pictures for box in picture.boxes}
    return tuple(dict.fromkeys([*reading.names, *used]))


def _known(root: Path, picture: Picture, number: int) -> Known | None:
    path = root / picture.path
    with Image.open(path) as opened:
        turned = opened.getexif().get(ORIENTATION, 1)
        frame = Frame(opened.size, turned if isinstance(turned, int) and 1 <= turned <= 8 else 1)
    placing = place(picture, frame)
    if any(fault.cost == Cost.HIDDEN for fault in placing.faults):
        return None
    things = tuple(Thing(one.class_name, one.box) for one in placing.boxes)
    return Known(f"{number:05d}_{path.name}", path, *frame.upright, things)


def pack(target: Path, pictures: Sequence[Known], classes: Sequence[str], *, part: str, truth: bool) -> Path:
    """A zip in YOLO's layout; without `truth` it has pictures alone, which stay unseen."""
    data = {part: f"images/{part}", "names": dict(enumerate(classes))}
    with ZipFile(target, "w", ZIP_STORED) as archive:
        archive.writestr("data.yaml", yaml.safe_dump(data, sort_keys=False, allow_unicode=True))
        for picture in pictures:
            archive.write(picture.path, f"images/{part}/{picture.name}")
            if truth:
                archive.writestr(f"labels/{part}/{picture.stem}.txt", _labels(picture, classes))
    return target


def _labels(picture: Known, classes: Sequence[str]) -> str:
    rows = [
        " ".join(
            [
                str(classes.index(thing.class_name)),
                *(f"{share:.9f}" for share in thing.box.as_yolo(picture.width, picture.height)),
            ]
        )
        for thing in picture.things
    ]
    return "".join(f"{row}\n" for row in rows)
