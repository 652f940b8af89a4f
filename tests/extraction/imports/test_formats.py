"""Readers: every usual form, and every fault that public data sets were found to contain."""

from __future__ import annotations

import contextlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from extraction.imports import formats
from extraction.imports.formats import Cost, Frame, NoTruth, Picture, RawBox, place, voc
from extraction.imports.formats import coco as coco_reader
from extraction.imports.formats.placing import turn
from extraction.intake.images import stored_frame, verify
from mixcv.kernel.geometry import Box
from tests.extraction.imports import sources
from tests.extraction.intake import pictures

BUS = "0 0.5 0.5 0.25 0.25"


def read(folder, form="auto"):
    return formats.read(folder, form)


def told(reading):
    return {one.path: [box.class_name for box in one.boxes] for one in reading.pictures}


def parts(reading):
    return {one.path.rpartition("/")[2][:-4]: one.part for one in reading.pictures}


def faults(reading):
    return [(one.file, one.line, one.message, str(one.cost)) for one in reading.faults]


def one_fault(reading):
    (fault,) = reading.faults
    return fault


def voc_of(folder, boxes=(), *, frame=None, **more):
    sources.picture(folder, "a.jpg")
    sources.write(folder, "a.xml", sources.voc(boxes, **more))
    (picture,) = read(folder).pictures
    return place(picture, frame or Frame(sources.SIZE))


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


def test_it_reads_voc_by_filename_and_never_by_path(tmp_path):
    placing = voc_of(tmp_path, [(" bus ", 10, 20, 30, 60)])
    (one,) = placing.boxes
    assert (one.class_name, one.box) == ("bus", Box(20, 40, 20, 40))
    assert placing.faults == []


@pytest.mark.parametrize(
    ("corners", "kept", "message", "cost"),
    [
        ((30, 20, 10, 60), True, "The smaller corner is greater than the greater one", Cost.KEPT),
        ((30, 20, 30, 60), False, "The box has no width or no height", Cost.LEFT_OUT),
        (("x", 20, 30, 60), False, "xmin is 'x'; it must be a number of pixels", Cost.HIDDEN),
        (("nan", 20, 30, 60), False, "A corner is not finite", Cost.HIDDEN),
        ((-5, 20, 30, 60), True, "The box reached out of the picture and was cut", Cost.KEPT),
        ((400, 20, 430, 60), False, "The box lies outside the picture", Cost.LEFT_OUT),
        ((30, 20, 31, 60), True, "The box is only 1.0 × 40.0 pixels", Cost.KEPT),
        ((0, 0, 320, 240), True, "The box covers the whole picture", Cost.KEPT),
    ],
)
def test_odd_corners_are_told_with_their_line(tmp_path, corners, kept, message, cost):
    sources.picture(tmp_path, "a.jpg")
    sources.write(tmp_path, "a.xml", sources.voc([("bus", *corners)]))
    reading = read(tmp_path)
    placing = place(reading.pictures[0], Frame(sources.SIZE))
    assert len(placing.boxes) == kept
    (fault,) = [*reading.faults, *placing.faults]
    assert (fault.file, fault.line, fault.cost) == ("a.xml", 7, cost)
    assert fault.message.startswith(message)


@pytest.mark.parametrize(
    ("second", "kept", "message"),
    [
        (("bus", 10.2, 20, 90.3, 80), 1, "The same box of bus stands in line 7."),
        (("bus", 12, 22, 92, 82), 2, "It covers the box of bus in line 7 almost whole"),
        (("person", 10, 20, 90, 80), 2, "It covers the box of bus in line 7 almost whole"),
        (("bus", 30, 20, 110, 80), 2, ""),
    ],
)
def test_the_same_box_twice_is_told(tmp_path, second, kept, message):
    placing = voc_of(tmp_path, [("bus", 10, 20, 90, 80), second])
    assert len(placing.boxes) == kept
    assert [one.message[: len(message)] for one in placing.faults] == ([message] if message else [])


@pytest.mark.parametrize(
    ("size", "first", "words"),
    [
        (None, Box(20, 40, 20, 40), "It says no size"),
        ((0, 0), Box(20, 40, 20, 40), "It says no size"),
        ((640, 480), Box(10, 20, 10, 20), "its boxes were scaled"),
        ((240, 320), Box(20, 40, 20, 40), "all boxes fit the picture as it is"),
        ((500, 500), None, "its boxes fit neither, and none was taken"),
    ],
)
def test_sizes_that_are_not_the_picture_s(tmp_path, size, first, words):
    placing = voc_of(tmp_path, [("bus", 10, 20, 30, 60)], size=size)
    assert [one.box for one in placing.boxes] == ([first] if first else [])
    (fault,) = placing.faults
    assert words in fault.message
    assert fault.cost == (Cost.KEPT if first else Cost.HIDDEN)


@pytest.mark.parametrize("filename", ["A.JPG", "a", "images/a.jpg", "C:\\set\\a.jpg"])
def test_a_filename_finds_its_picture_all_the_same(tmp_path, filename):
    assert len(voc_of(tmp_path, [("bus", 10, 20, 30, 60)], filename=filename).boxes) == 1


def test_pictures_of_one_name_in_two_folders_go_to_their_own_labels(tmp_path):
    for part, name in (("train", "bus"), ("test", "person")):
        sources.picture(tmp_path, f"{part}/a.jpg")
        sources.write(tmp_path, f"{part}/xml/a.xml", sources.voc([(name, 10, 20, 30, 60)]))
    assert told(read(tmp_path)) == {"train/a.jpg": ["bus"], "test/a.jpg": ["person"]}


@pytest.mark.parametrize(
    ("xml", "line", "words"),
    [
        ("<annotation>\n<object>\n</annotation>", 3, "It is broken XML: mismatched tag"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><annotation/>', 1, "It declares a document type"),
        ("<html>annotation</html>", 1, "Its root is <html>"),
        ("", 0, "It is broken XML: no element found"),
    ],
)
def test_xml_that_is_none_costs_only_its_picture(tmp_path, xml, line, words):
    sources.picture(tmp_path, "b.jpg")
    sources.write(tmp_path, "b.xml", sources.voc([("bus", 1, 2, 30, 40)], filename="b.jpg"))
    sources.picture(tmp_path, "a.jpg")
    sources.write(tmp_path, "a.xml", xml)
    reading = read(tmp_path, "voc")
    assert told(reading)["b.jpg"] == ["bus"]
    fault = one_fault(reading)
    assert (fault.file, fault.picture, fault.cost) == ("a.xml", "a.jpg", Cost.HIDDEN)
    assert line in {0, fault.line}
    assert words in fault.message


def test_an_xml_file_without_its_picture_is_listed(tmp_path):
    sources.picture(tmp_path, "a.jpg")
    sources.write(tmp_path, "a.xml", sources.voc([], filename="a.jpg"))
    sources.write(tmp_path, "gone.xml", sources.voc([], filename="gone.jpg"))
    fault = one_fault(read(tmp_path))
    assert (fault.file, fault.line) == ("gone.xml", 2)
    assert "There is no picture 'gone.jpg'" in fault.message


def test_lists_beside_voc_tell_the_split(tmp_path):
    for name in "ab":
        sources.picture(tmp_path, f"JPEGImages/{name}.jpg")
        sources.write(tmp_path, f"Annotations/{name}.xml", sources.voc([], filename=f"{name}.jpg"))
    sources.write(tmp_path, "ImageSets/Main/train.txt", "a\n")
    sources.write(tmp_path, "ImageSets/Main/test.txt", "b 1\n")
    assert parts(read(tmp_path)) == {"a": "train", "b": "test"}


# ---- EXIF


@pytest.mark.parametrize("orientation", [1, 2, 3, 4, 5, 6, 7, 8, 65537])
def test_boxes_of_the_stored_picture_are_turned_with_it(orientation):
    """The red quarter of the stored picture, told in its pixels, is the red quarter of the upright one."""
    data = pictures.oriented(orientation)
    frame = Frame(stored_frame(data)[:2], stored_frame(data)[2])
    upright = verify(data)
    assert frame.upright == (upright.width, upright.height)
    assert frame.stored == (60, 40)
    box = turn(Box(15, 10, 30, 20), frame)
    shown = Pillow.open(io.BytesIO(upright.data)).convert("RGB")
    red, green, blue = shown.getpixel((int(box.cx), int(box.cy)))
    assert red > 200
    assert green < 60
    assert blue < 60


def test_a_size_before_turning_turns_the_boxes(tmp_path):
    frame = Frame(sources.SIZE, 6)
    placing = voc_of(tmp_path, [("bus", 10, 20, 30, 60)], frame=frame)
    assert placing.boxes[0].box == Box(200, 20, 40, 20)
    assert "of the picture before turning" in placing.faults[0].message
    placing = voc_of(tmp_path, [("bus", 10, 20, 30, 60)], frame=frame, size=(240, 320))
    assert placing.boxes[0].box == Box(20, 40, 20, 40)
    assert placing.faults == []


# ---- COCO


IMAGES = [
    {"id": 1, "file_name": "a.jpg", "width": 320, "height": 240},
    {"id": "2", "file_name": "b.jpg", "width": 320, "height": 240},
]
GOOD = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 20, 20, 40]}


def coco(folder, annotations, images=IMAGES, name="annotations/instances.json", **more):
    for one in ("a", "b"):
        sources.picture(folder, f"images/{one}.jpg")
    sources.write(folder, name, sources.coco(images, annotations, **more))
    return read(folder)


def test_it_reads_coco(tmp_path):
    reading = coco(tmp_path, [GOOD])
    assert reading.format == "coco"
    assert told(reading) == {"images/a.jpg": ["bus"], "images/b.jpg": []}
    assert all(one.told for one in reading.pictures)
    assert place(reading.pictures[0], Frame(sources.SIZE)).boxes[0].box == Box(20, 40, 20, 40)
    assert (reading.names, reading.faults) == (["bus", "person"], [])


@pytest.mark.parametrize(
    ("change", "kept", "message", "cost"),
    [
        ({"bbox": [10, 20, 0, 40]}, 0, "The box has no width or no height.", Cost.LEFT_OUT),
        ({"bbox": [30, 60, -20, -40]}, 1, "The box has a negative side and was turned round.", Cost.KEPT),
        ({"bbox": [1, 2, 3]}, 0, "bbox is [1, 2, 3]; four numbers are wanted.", Cost.HIDDEN),
        (
            {"bbox": None, "segmentation": [[1, 1, 9, 1, 9, 5]]},
            1,
            "There is no bbox; the box around",
            Cost.KEPT,
        ),
        ({"category_id": 9}, 0, "There is no category 9.", Cost.HIDDEN),
        ({"image_id": 9}, 0, "There is no image 9.", Cost.LEFT_OUT),
        ({"iscrowd": 1}, 0, "A crowd of bus is no single object.", Cost.LEFT_OUT),
    ],
)
def test_an_annotation_costs_only_itself_and_is_named_by_its_line(tmp_path, change, kept, message, cost):
    reading = coco(tmp_path, [GOOD, GOOD | {"id": 2} | change])
    assert len(told(reading)["images/a.jpg"]) == 1 + kept
    fault = one_fault(reading)
    text = (tmp_path / fault.file).read_text().splitlines()
    assert '"id": 2' in text[fault.line]
    assert fault.message.startswith(message)
    assert fault.cost == cost


def test_a_coco_file_for_each_part(tmp_path):
    sources.picture(tmp_path, "train/a.jpg")
    sources.picture(tmp_path, "valid/a.jpg")
    for part in ("train", "valid"):
        body = sources.coco([IMAGES[0]], [GOOD])
        sources.write(tmp_path, f"{part}/_annotations.coco.json", body)
    reading = read(tmp_path)
    assert {one.path: (one.part, len(one.boxes)) for one in reading.pictures} == {
        "train/a.jpg": ("train", 1),
        "valid/a.jpg": ("val", 1),
    }


def test_images_that_are_listed_wrongly_are_faults(tmp_path):
    gone = {"id": 3, "file_name": "gone.jpg"}
    reading = coco(tmp_path, [GOOD | {"image_id": 3}], [*IMAGES, gone, IMAGES[0], {"id": 5}])
    assert [one.message[:30] for one in reading.faults] == [
        "There is no picture 'gone.jpg'",
        "The image id 1 is there twice;",
        "The image has no id or no file",
    ]


def test_broken_json_is_said_with_its_line(tmp_path):
    sources.picture(tmp_path, "a.jpg")
    sources.write(tmp_path, "a.json", '{"images": [],\n "annotations": [1,\n }')
    with pytest.raises(NoTruth, match=r"a.json, line 3: It is broken JSON"):
        read(tmp_path)


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
