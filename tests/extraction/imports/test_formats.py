"""Readers: every usual form, and every fault that public data sets were found to contain."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extraction.imports.formats import Cost, Frame, NoTruth, Picture, RawBox, place, voc
from extraction.imports.formats import coco as coco_reader
from tests.extraction.imports import sources
from tests.extraction.imports.reading import BUS, faults, one_fault, parts, read, told

# ---- data.yaml in its forms


@pytest.mark.parametrize(
    "yaml",
    [
        "train: images/train\nval: images/val\ntest: images/test\nnames: [bus, person]",
        "path: .\ntrain: images/train\nval: images/val\ntest: images/test\nnames:\n  0: bus\n  1: person",
        "path: /content/cells\ntrain: images/train/\nval: ./images/val\ntest: images/test\n"
        "names: {0: bus, 1: person}",
        "train: ../train.txt\nval: [images/val]\ntest: /home/me/set/images/test\nnames: ['bus', 'person']\nnc: 2",
        "\ufefftrain: images\\train\nval: images/VAL\ntest: images/test\nnames:\n- ' bus '\n- person",
    ],
)
def test_it_reads_data_yaml_in_its_usual_forms(tmp_path, yaml):
    sources.yolo(tmp_path, {"train/a": BUS, "val/b": "1 0.5 0.5 0.1 0.1", "test/c": ""}, yaml=yaml)
    sources.write(tmp_path, "train.txt", "./images/train/a.jpg\n")
    reading = read(tmp_path)
    assert reading.names == ["bus", "person"]
    assert parts(reading) == {"a": "train", "b": "val", "c": "test"}
    assert list(told(reading).values()) == [[], ["bus"], ["person"]]
    assert reading.faults == []


def test_it_reads_roboflow_s_folders(tmp_path):
    sources.write(
        tmp_path, "data.yaml", "train: ../train/images\nval: ../valid/images\nnc: 1\nnames: ['bus']"
    )
    for part in ("train", "valid"):
        sources.picture(tmp_path, f"{part}/images/{part}.jpg")
        sources.write(tmp_path, f"{part}/labels/{part}.txt", BUS)
    assert parts(read(tmp_path)) == {"train": "train", "valid": "val"}


def test_it_reads_label_files_beside_pictures_with_a_list_of_names(tmp_path):
    sources.picture(tmp_path, "a.JPG")
    sources.write(tmp_path, "a.TXT", b"\xef\xbb\xbf" + BUS.encode() + b"\r\n")
    sources.write(tmp_path, "classes.txt", "bus\nperson\n")
    reading = read(tmp_path)
    assert told(reading) == {"a.JPG": ["bus"]}
    assert reading.faults == []


def test_train_and_val_of_the_same_pictures_tell_no_split(tmp_path):
    sources.yolo(tmp_path, {"a": BUS}, yaml="train: images\nval: images\nnames: [bus]")
    reading = read(tmp_path)
    assert parts(reading) == {"a": ""}
    assert one_fault(reading).message == "train and val are the same pictures, so they tell no split."


def test_a_class_called_no_keeps_its_name(tmp_path):
    names = ["no", 'two "quoted" words', "ß→猫", "007"]
    sources.yolo(tmp_path, {"a": "0 0.5 0.5 0.1 0.1"}, yaml="names: [no, 'two \"quoted\" words', ß→猫, 007]")
    assert read(tmp_path).names == names


@pytest.mark.parametrize(
    ("yaml", "words"),
    [
        ("names: [bus\ntrain: images", "data.yaml, line 2: "),
        ("train: images", "data.yaml has no list of names, and no classes.txt either"),
        ("- 1", "data.yaml holds no keys"),
    ],
)
def test_a_data_yaml_that_cannot_serve_is_said_with_its_line(tmp_path, yaml, words):
    sources.yolo(tmp_path, {"a": BUS}, yaml=yaml)
    with pytest.raises(NoTruth, match=words):
        read(tmp_path, "yolo")


# ---- lines of YOLO


@pytest.mark.parametrize(
    ("line", "message", "cost"),
    [
        ("0 0.5 0.5 0 0.2", "The box has no width or no height.", Cost.LEFT_OUT),
        ("0 0.5 0.5 -0.1 0.2", "The box has a negative width or height.", Cost.HIDDEN),
        ("7 0.5 0.5 0.1 0.2", "There is no class 7: the names go to 1.", Cost.HIDDEN),
        ("-1 0.5 0.5 0.1 0.2", "The class -1 is no whole number from 0 on.", Cost.HIDDEN),
        (
            "0 160 120 80 60",
            "The numbers are no shares of the image between 0 and 1; they look like pixels.",
            Cost.HIDDEN,
        ),
        ("0 0.5 nan 0.1 0.2", "A number is not finite.", Cost.HIDDEN),
        (
            "0 0.5 0.5",
            "There are 3 numbers; a box has five: class, centre x and y, width, height.",
            Cost.HIDDEN,
        ),
        ("bus 0.5 0.5 1 1", "'bus 0.5 0.5 1 1' is no line of numbers.", Cost.HIDDEN),
        (
            "0 0.1 0.1 0.3 0.1 0.3 0.5",
            "An outline of 3 points; the box around it was taken.",
            Cost.KEPT,
        ),
        (
            "0 0.5 0.5 0.2 0.2 0.91",
            "The sixth number, a confidence, was left out: this looks like a prediction.",
            Cost.KEPT,
        ),
        (
            "0 0.1 0.1 0.3 0.1 0.3 0.5 0.4",
            "There are 8 numbers; neither a box nor an outline has that many.",
            Cost.HIDDEN,
        ),
    ],
)
def test_a_line_costs_only_itself(tmp_path, line, message, cost):
    sources.yolo(tmp_path, {"a": f"{BUS}\n\n{line}\n{BUS.replace('0.5', '0.3')}"})
    reading = read(tmp_path)
    assert faults(reading) == [("labels/a.txt", 3, message, str(cost))]
    assert len(reading.pictures[0].boxes) == 2 + (cost == Cost.KEPT)


def test_an_outline_becomes_the_box_around_it(tmp_path):
    sources.yolo(tmp_path, {"a": "0 0.1 0.1 0.3 0.1 0.3 0.5"})
    (box,) = read(tmp_path).pictures[0].boxes
    assert (box.cx, box.cy, box.w, box.h) == pytest.approx((0.2, 0.3, 0.2, 0.4))


def test_files_without_their_other_half_are_listed(tmp_path):
    sources.yolo(tmp_path, {"a": BUS, "b": None})
    sources.write(tmp_path, "labels/lonely.txt", BUS)
    sources.write(tmp_path, "labels/a.cache", "of no concern")
    assert faults(read(tmp_path)) == [
        ("labels/lonely.txt", 0, "There is no picture for this label file.", "left_out"),
        ("images/b.jpg", 0, "It has no label file and stays unseen.", "kept"),
    ]


def test_a_label_file_that_is_no_text_makes_nothing_complete(tmp_path):
    sources.yolo(tmp_path, {"a": ""})
    sources.write(tmp_path, "labels/a.txt", b"\xfa\x00\xfb")
    reading = read(tmp_path)
    assert one_fault(reading).cost == Cost.HIDDEN
    assert reading.pictures[0].told is False


@given(
    st.tuples(*[st.floats(0.1, 0.4)] * 2, *[st.floats(1e-5, 0.2)] * 2),
    st.integers(1, 20_000),
    st.integers(1, 20_000),
)
def test_shares_become_pixels_and_shares_again(values, width, height):
    raw = RawBox("bus", *values, line=1, fraction=True)
    (placed,) = place(Picture("a", "a.txt", True, [raw]), Frame((width, height))).boxes
    assert placed.box.as_yolo(width, height) == pytest.approx(values, abs=1e-6)


# ---- VOC


# ---- EXIF


# ---- COCO


def test_labels_without_pictures_are_no_source(tmp_path):
    sources.write(tmp_path, "data.yaml", "names: [bus]\ntrain: images")
    sources.write(tmp_path, "labels/a.txt", BUS)
    with pytest.raises(NoTruth, match="labels but no pictures"):
        read(tmp_path)


# ---- what nobody writes by accident


def test_settings_nested_too_deep_are_refused(tmp_path):
    sources.yolo(tmp_path, {"a": BUS}, yaml="names: " + "[" * 3000)
    with pytest.raises(NoTruth, match="nested too deep"):
        read(tmp_path)


@pytest.mark.parametrize(
    "yaml", ["names: {" + "9" * 100 + ": bus}", "a: &a [x]\nb: &b [*a, *a]\nnames: {0: *b}"]
)
def test_hostile_settings_cost_no_more_than_themselves(tmp_path, yaml):
    reading = read(sources.yolo(tmp_path, {"a": BUS}, yaml=yaml))
    assert reading.pictures[0].boxes == []
    assert [one.file for one in reading.faults] == ["data.yaml", "labels/a.txt"]


def test_hostile_numbers_and_names_are_refused(tmp_path):
    sources.picture(tmp_path, "a.jpg")
    sources.write(tmp_path, "a.json", '{"images": [' + "9" * 5000 + '], "annotations": []}')
    with pytest.raises(NoTruth, match="a number that is too long"):
        read(tmp_path)
    half = '{"images": [], "annotations": [], "categories": [{"id": 1, "name": "\\ud800"}]}'
    sources.write(tmp_path, "a.json", half)
    assert read(tmp_path).names == []
    (tmp_path / "a.json").unlink()
    sources.write(tmp_path, "a.xml", sources.voc([("bus", "1e308", 1, "-1e308", 9)], size=(10**300, 10**300)))
    assert place(read(tmp_path).pictures[0], Frame(sources.SIZE)).boxes == []


@given(st.binary(max_size=200))
def test_xml_of_any_bytes_is_read_or_refused_in_words(data):
    with contextlib.suppress(NoTruth):
        voc.parse(b"<annotation>" + data)


@given(st.text(max_size=200))
def test_json_of_any_text_is_read_or_refused_in_words(text):
    with contextlib.suppress(NoTruth):
        coco_reader.parse(text)
