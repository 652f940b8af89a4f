"""The demo's scenes: exact, repeatable, and without a glyph in two splits."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import numpy as np
from PIL import Image

from extraction.demo.glyphs import SPLITS, glyphs_of
from extraction.demo.scenes import render_scene, street_photographs, write_demo_scenes, write_scenes


def test_no_glyph_is_in_two_splits() -> None:
    glyphs = {split: {glyph for digit in range(10) for glyph in glyphs_of(split, digit)} for split in SPLITS}
    for one, two in combinations(SPLITS, 2):
        assert not glyphs[one] & glyphs[two]
    assert sum(map(len, glyphs.values())) == 1797


def test_a_scene_is_the_same_every_time_and_differs_by_index() -> None:
    one, again, other = (render_scene(split="demo", index=index, seed=5) for index in (1, 1, 2))
    assert np.array_equal(one.image, again.image)
    assert one.boxes == again.boxes
    assert not np.array_equal(one.image, other.image)


def test_boxes_lie_within_the_picture_and_around_ink() -> None:
    scene = render_scene(split="holdout", index=4, seed=9)
    assert scene.image.shape == (480, 640, 3)
    assert len(scene.boxes) >= 4
    for box in scene.boxes:
        left, top = box.x - box.w / 2, box.y - box.h / 2
        assert left >= 0
        assert top >= 0
        assert left + box.w <= 640
        assert top + box.h <= 480
        inside = scene.image[int(top) : int(top + box.h), int(left) : int(left + box.w)].astype(float)
        assert inside.std() > 8, "a digit is darker than its paper"


def test_the_truth_is_written_beside_the_pictures(tmp_path: Path) -> None:
    files = write_scenes(tmp_path, split="train", count=2, seed=1, digits=[3])
    truth = json.loads((tmp_path / "truth.json").read_text(encoding="utf-8"))
    assert [image["file"] for image in truth["images"]] == [file.path.name for file in files]
    assert {box["class"] for image in truth["images"] for box in image["boxes"]} == {"3"}
    assert truth["images"][0]["boxes"][0]["x"] == files[0].boxes[0].x
    with Image.open(files[0].path) as image:
        assert (image.format, image.size) == ("JPEG", (640, 480))


def test_a_desk_of_the_demo_sees_one_split_only(tmp_path: Path) -> None:
    files = write_demo_scenes(tmp_path, count=24)
    splits: dict[str, set[str]] = {}
    for file in files:
        splits.setdefault(file.metadata["camera_id"], set()).add(file.split)
    assert all(len(found) == 1 for found in splits.values())
    assert {"demo", "holdout"} == set.union(*splits.values())


def test_the_street_photographs_are_there() -> None:
    assert [path.name for path in street_photographs()] == ["bus.jpg", "zidane.jpg"]
    assert all(path.exists() for path in street_photographs())
