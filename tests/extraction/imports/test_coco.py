"""Reading COCO."""

from __future__ import annotations

import pytest

from extraction.imports.formats import Cost, Frame, NoTruth, place
from mixcv.kernel.geometry import Box
from tests.extraction.imports import sources
from tests.extraction.imports.reading import one_fault, read, told

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
