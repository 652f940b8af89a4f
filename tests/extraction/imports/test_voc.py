"""Reading Pascal VOC."""

from __future__ import annotations

import io

import pytest
from PIL import Image as Pillow

from extraction.imports.formats import Cost, Frame, place
from extraction.imports.formats.placing import turn
from extraction.intake.images import stored_frame, verify
from mixcv.kernel.geometry import Box
from tests.extraction.imports import sources
from tests.extraction.imports.reading import one_fault, parts, read, told, voc_of
from tests.extraction.intake import pictures


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
