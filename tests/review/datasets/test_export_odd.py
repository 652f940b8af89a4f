"""Exports of odd names, boxes and images."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from extraction.classes.domain import ensure_classes
from extraction.intake.domain import Incoming, add_objects
from extraction.packages.domain import give_indices
from extraction.truth.models import GroundTruthBox
from mixcv.kernel.geometry import Box
from mixcv.tenancy.actors import SYSTEM
from review.datasets.export import export_folder
from review.datasets.export.formats import yolo_labels, yolo_yaml
from review.datasets.export.reading import FrozenBox, FrozenImage
from review.datasets.models import DatasetBox
from tests import factories as make
from tests.review.datasets.building import (
    build,
    confirm,
    dataset_of,
    detected,
    draw,
    put,
    ready,
)
from tests.review.datasets.exported import (
    check_with_ultralytics,
    load_with_ultralytics,
    read_zip,
    zipped,
)

pytestmark = pytest.mark.django_db


ODD = [
    "two words",
    'a "quoted" one',
    "it's",
    "line\nbreak",
    "車 и трамвай",
    "no",
    "12",
    "a: b # c",
    "{x}",
    "- y",
    "é|>",
]


def test_classes_of_any_name_come_back_as_they_are(namespace, collection, tmp_path):
    ready(collection)
    (document,) = confirm(detected(collection, 1))
    for n, name in enumerate(ODD):
        draw(document, name, (20 + n * 20, 20, 9, 9))
    version = build(dataset_of(collection))
    names = {one["index"]: one["name"] for one in version.classes}
    assert set(ODD) <= set(names.values())
    folder = export_folder(version=version, target=tmp_path / "yolo")
    assert yaml.safe_load((folder / "data.yaml").read_text())["names"] == names
    assert check_with_ultralytics(folder)["names"] == names
    assert sum(len(one["cls"]) for one in load_with_ultralytics(folder, "train")) == 9 + 3 + len(ODD)
    files = read_zip(zipped(version, "coco"))
    categories = json.loads(files["annotations/train.json"])["categories"]
    assert {one["id"] - 1: one["name"] for one in categories} == names


@given(
    st.lists(
        st.text(min_size=1, max_size=30).filter(lambda t: t.isprintable() or "\n" in t),
        max_size=8,
        unique=True,
    )
)
def test_any_names_survive_yaml(names):
    classes = [{"index": n, "name": name} for n, name in enumerate(names)]
    assert yaml.safe_load(yolo_yaml(classes).decode())["names"] == dict(enumerate(names))


def test_two_hundred_classes_and_one_without_a_box(namespace, collection, tmp_path):
    names = [f"class {n:03d}" for n in range(200)]
    classes = ensure_classes(namespace=namespace, names=names)
    give_indices(
        extractor=collection.extractor_version.extractor, class_ids=[classes[name].pk for name in names]
    )
    ready(collection)
    version = build(dataset_of(collection))
    folder = export_folder(version=version, target=tmp_path / "out")
    data = check_with_ultralytics(folder)
    assert (data["nc"], data["names"][7], data["names"][200]) == (203, "class 007", "bus")
    assert not DatasetBox.objects.filter(class_index__lt=200).exists()
    assert len(load_with_ultralytics(folder, "val")) == 2


@given(
    width=st.integers(1, 20_000),
    height=st.integers(1, 20_000),
    ends=st.tuples(*[st.floats(0, 1)] * 4),
)
def test_a_label_is_exact_and_inside_whatever_the_image(width, height, ends):
    left, right = sorted(ends[:2])
    top, bottom = sorted(ends[2:])
    box = Box.from_corners(left * width, top * height, right * width, bottom * height)
    frozen = FrozenBox(3, box.cx, box.cy, box.w, box.h, "annotation", "", 1)
    image = FrozenImage(1, "train", False, "a.jpg", "", width, height, "reviewed", 0, None, [frozen])
    index, *values = yolo_labels(image).decode().split()
    numbers = list(map(float, values))
    assert index == "3"
    assert all(0 <= number <= 1 for number in numbers)
    back = Box.from_yolo(*numbers, width, height)
    for name in ("cx", "cy", "w", "h"):
        assert abs(getattr(back, name) - getattr(box, name)) <= 1e-6


def test_boxes_at_the_border_and_of_one_pixel(collection, tmp_path):
    ready(collection)
    edges = [
        make.found("bus", 0.9, (0.5, 0.5, 1, 1)),
        make.found("bus", 0.8, (319.5, 239.5, 1, 1)),
        make.found("bus", 0.7, (160, 120, 320, 240)),
    ]
    (document,) = confirm(detected(collection, 1, detections=edges))
    named = GroundTruthBox.objects.filter(image=document.image)[0].object_class
    GroundTruthBox.objects.create(image=document.image, object_class=named, cx=320, cy=100, w=20, h=10)
    version = build(dataset_of(collection))
    folder = export_folder(version=version, target=tmp_path / "out")
    item = version.items.get(image=document.image)
    lines = (folder / f"labels/train/{Path(item.file_name).stem}.txt").read_text().splitlines()
    found = set()
    for line in lines:
        box = Box.from_yolo(*map(float, line.split()[1:]), 320, 240)
        assert all(
            -1e-6 <= end <= most + 1e-6 for end, most in zip(box.corners, (320, 240, 320, 240), strict=True)
        )
        found.add(tuple(round(value, 6) for value in (box.cx, box.cy, box.w, box.h)))
    assert found == {(0.5, 0.5, 1, 1), (319.5, 239.5, 1, 1), (160, 120, 320, 240), (315, 100, 10, 10)}
    labels = {Path(one["im_file"]).name: one for one in load_with_ultralytics(folder, "train")}
    assert len(labels[item.file_name]["cls"]) == 4


def test_an_image_turned_by_exif_comes_upright(collection, tmp_path):
    ready(collection)
    out = io.BytesIO()
    picture = Pillow.new("RGB", (120, 80), "white")
    picture.paste("red", (0, 0, 40, 30))
    exif = Pillow.Exif()
    exif[0x0112] = 6
    picture.save(out, "JPEG", exif=exif, quality=95)
    (added,) = add_objects(
        bucket=collection.buckets.get(),
        incoming=[Incoming(name="turned.jpg", data=out.getvalue())],
        by=SYSTEM,
    )
    # Turned by 90° to the right, what was at the top left is at the top right.
    batch_box = make.found("bus", 0.9, (65, 20, 30, 40))
    result = dataclasses.replace(make.result([batch_box]), width=80, height=120)
    make.detect(collection, [added.object], [result])
    document = added.object.documents.get()
    put(confirm([document]), "train")
    version = build(dataset_of(collection))
    folder = export_folder(version=version, target=tmp_path / "out")
    item = version.items.get(image=document.image)
    assert (item.width, item.height) == (80, 120)
    shown = Pillow.open(folder / f"images/train/{item.file_name}")
    assert shown.size == (80, 120)
    assert shown.getexif().get(0x0112, 1) == 1
    line = (folder / f"labels/train/{Path(item.file_name).stem}.txt").read_text().split()
    left, top, right, bottom = Box.from_yolo(*map(float, line[1:]), 80, 120).corners
    inside = shown.crop((int(left) + 4, int(top) + 4, int(right) - 4, int(bottom) - 4)).resize((1, 1))
    red, green, _ = inside.getpixel((0, 0))
    assert red > 200
    assert green < 60
    (one,) = [
        row for row in load_with_ultralytics(folder, "train") if Path(row["im_file"]).name == item.file_name
    ]
    assert tuple(one["shape"]) == (120, 80)
