"""Pictures with truth: from folders, as zips for an import, apart as pool and holdout."""

from __future__ import annotations

import zipfile

import pytest
from PIL import Image

from benchmarks.flywheel.truths import digits, folder_of, pack
from extraction.imports.formats import Frame, place, read
from tests import factories as make

pytestmark = pytest.mark.django_db


def write(root, part, name, rows, *, seed, orientation=1):
    images, labels = root / "images" / part, root / "labels" / part
    images.mkdir(parents=True, exist_ok=True)
    labels.mkdir(parents=True, exist_ok=True)
    (images / name).write_bytes(make.picture(seed=seed))
    if orientation != 1:
        with Image.open(images / name) as picture:
            exif = picture.getexif()
            exif[0x0112] = orientation
            picture.save(images / name, exif=exif)
    if rows is not None:
        (labels / f"{name[:-4]}.txt").write_text("".join(f"{row}\n" for row in rows))


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "cells"
    folder.mkdir()
    parts = "train: images/train\nval: images/val\ntest: images/test\n"
    (folder / "data.yaml").write_text(parts + "names: [red, 'white cell']\n")
    write(folder, "train", "a.jpg", ["0 0.5 0.5 0.25 0.25", "1 0.2 0.2 0.1 0.1"], seed=1)
    write(folder, "train", "turned.jpg", ["1 0.5 0.5 0.5 0.5"], seed=2, orientation=6)
    write(folder, "train", "unlabelled.jpg", None, seed=3)
    write(folder, "val", "a.jpg", [], seed=4)
    write(folder, "val", "leak.jpg", ["0 0.5 0.5 0.25 0.25"], seed=6)
    write(folder, "test", "b.jpg", ["0 0.5 0.5 0.25 0.25"], seed=5)
    write(folder, "test", "leak.jpg", ["0 0.5 0.5 0.25 0.25"], seed=6)
    return folder


def test_a_folder_is_apart_as_pool_and_holdout(root):
    task = folder_of(root)
    assert (task.name, task.classes) == ("cells", ("red", "white cell"))
    # What has no label file is no truth; what is in two parts is never trained on.
    assert sorted(one.path.name for one in task.pool) == ["a.jpg", "a.jpg", "turned.jpg"]
    assert sorted(one.path.name for one in task.holdout) == ["b.jpg", "leak.jpg"]
    names = [one.name for one in (*task.pool, *task.holdout)]
    assert len(set(names)) == len(names)
    turned = next(one for one in task.pool if one.path.name == "turned.jpg")
    assert (turned.width, turned.height) == (240, 320)
    assert turned.things[0].box.as_bbox() == pytest.approx({"x": 120, "y": 160, "w": 120, "h": 160})


def test_without_a_test_part_validation_measures_and_without_both_a_fifth_does(root):
    for one in (root / "images" / "test").iterdir():
        one.unlink()
    assert [one.path.parent.name for one in folder_of(root).holdout] == ["val", "val"]
    bare = root.parent / "bare"
    (bare / "images").mkdir(parents=True)
    (bare / "labels").mkdir()
    (bare / "data.yaml").write_text("names: [red]\n")
    for number in range(30):
        (bare / "images" / f"{number}.jpg").write_bytes(make.picture(40, 40, seed=number))
        (bare / "labels" / f"{number}.txt").write_text("0 0.5 0.5 0.25 0.25\n")
    task = folder_of(bare)
    assert len(task.pool) + len(task.holdout) == 30
    assert 1 <= len(task.holdout) <= 14
    assert folder_of(bare) == task
    small = folder_of(bare, pool=3, holdout=1)
    assert (len(small.pool), len(small.holdout)) == (3, 1)


def test_a_zip_says_the_same_and_one_without_truth_nothing(root, tmp_path):
    task = folder_of(root)
    for truth in (True, False):
        target = tmp_path / f"{truth}"
        with zipfile.ZipFile(
            pack(tmp_path / "a.zip", task.pool, task.classes, part="train", truth=truth)
        ) as archive:
            archive.extractall(target)
        reading = read(target)
        assert {one.path.rpartition("/")[2] for one in reading.pictures} == {one.name for one in task.pool}
        assert {one.part for one in reading.pictures} == {"train"}
        assert all(one.told == truth for one in reading.pictures)
        for picture in reading.pictures if truth else ():
            known = next(one for one in task.pool if picture.path.endswith(one.name))
            placed = place(picture, Frame((known.width, known.height))).boxes
            assert [one.class_name for one in placed] == [one.class_name for one in known.things]
            for one, thing in zip(placed, known.things, strict=True):
                assert one.box.as_bbox() == pytest.approx(thing.box.as_bbox(), abs=1e-4)


def test_the_scenes_are_of_all_digits_and_share_no_glyph(tmp_path):
    task = digits(tmp_path, pool=6, holdout=4)
    assert (len(task.pool), len(task.holdout), len(task.classes)) == (6, 4, 10)
    assert {thing.class_name for one in task.pool for thing in one.things} <= set("0123456789")
    assert not {one.name for one in task.pool} & {one.name for one in task.holdout}
    again = digits(tmp_path / "again", pool=6, holdout=4)
    assert [one.things for one in again.holdout] == [one.things for one in task.holdout]
