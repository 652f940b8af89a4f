"""Exports: what they hold, read back by the programs that people train with."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from extraction.intake.domain import Incoming, add_objects
from mixcv.kernel import storage
from mixcv.kernel.errors import InvalidInput
from mixcv.kernel.geometry import Box
from mixcv.tenancy.actors import SYSTEM
from review.datasets.export import entries_of, export_folder, export_zip_file, stream_zip
from review.datasets.export.folder import TargetTaken
from review.verdicts.domain import Verdict
from tests import factories as make
from tests.review.datasets.building import (
    INES,
    build,
    confirm,
    dataset_of,
    declare,
    detected,
    put,
    ready,
    reject,
    say,
)
from tests.review.datasets.exported import (
    boxes_in,
    check_with_ultralytics,
    load_with_ultralytics,
    read_zip,
    zipped,
)

pytestmark = pytest.mark.django_db


def test_labels_equal_the_database_and_every_image_has_a_file(collection, tmp_path):
    ready(collection)
    put(reject(detected(collection, 1)), "train")
    (_document,) = confirm(
        detected(collection, 1, detections=[make.found("bus", 0.9, (100 / 3, 200 / 7, 11.1, 13.7))])
    )
    version = build(dataset_of(collection, background_share=0.5))
    folder = export_folder(version=version, target=tmp_path / "out")
    for place, (item, boxes) in boxes_in(version).items():
        lines = (folder / f"labels/{place}.txt").read_text().splitlines()
        assert len(lines) == len(boxes)
        for line, box in zip(lines, sorted(boxes, key=lambda one: one.pk), strict=True):
            index, *numbers = line.split()
            back = Box.from_yolo(*map(float, numbers), item.width, item.height)
            assert int(index) == box.class_index
            for name in ("cx", "cy", "w", "h"):
                assert abs(getattr(back, name) - getattr(box, name)) <= 1e-6
        picture = folder / f"images/{item.split}/{item.file_name}"
        assert hashlib.sha256(picture.read_bytes()).hexdigest() == item.image.working.sha256
    empty = [place for place, (_, boxes) in boxes_in(version).items() if not boxes]
    assert [(folder / f"labels/{place}.txt").read_bytes() for place in empty] == [b""]


def test_ultralytics_own_check_and_loader_take_it(collection, tmp_path):
    ready(collection)
    reject(detected(collection, 1))
    version = build(dataset_of(collection, background_share=0.5))
    folder = export_folder(version=version, target=tmp_path / "out")
    data = check_with_ultralytics(folder)
    assert data["names"] == {0: "bus", 1: "person", 2: "truck"}
    labels = [*load_with_ultralytics(folder, "train"), *load_with_ultralytics(folder, "val")]
    assert len(labels) == version.image_count
    assert sum(len(one["cls"]) for one in labels) == version.box_count
    known = boxes_in(version)
    for one in labels:
        path = Path(one["im_file"])
        item, boxes = known[f"{path.parent.name}/{path.stem}"]
        wanted = sorted((box.class_index, box.cx / item.width, box.w / item.width) for box in boxes)
        found = sorted(
            (int(cls), *map(float, row[[0, 2]]))
            for cls, row in zip(one["cls"].ravel(), one["bboxes"], strict=True)
        )
        assert found == [pytest.approx(row, abs=1e-6) for row in wanted]


def test_coco_loads_in_pycocotools_faster_coco_eval_and_supervision(collection, tmp_path):
    import faster_coco_eval
    import supervision
    from pycocotools.coco import COCO

    ready(collection)
    reject(detected(collection, 1))
    version = build(dataset_of(collection, background_share=0.5))
    folder = export_folder(version=version, target=tmp_path / "out", format="coco")
    known = boxes_in(version)
    for split in ("train", "val"):
        path = folder / f"annotations/{split}.json"
        with contextlib.redirect_stdout(io.StringIO()):
            loaded = COCO(str(path))
            assert len(faster_coco_eval.COCO(str(path)).anns) == len(loaded.anns)
        names = {row["id"]: row["name"] for row in loaded.loadCats(loaded.getCatIds())}
        assert names == {1: "bus", 2: "person", 3: "truck"}
        assert len(loaded.imgs) == sum(place.startswith(split) for place in known)
        for image in loaded.imgs.values():
            item, boxes = known[f"{split}/{Path(image['file_name']).stem}"]
            assert (image["width"], image["height"]) == (item.width, item.height)
            found = sorted((one["category_id"] - 1, *one["bbox"]) for one in loaded.imgToAnns[image["id"]])
            wanted = sorted((b.class_index, b.cx - b.w / 2, b.cy - b.h / 2, b.w, b.h) for b in boxes)
            assert found == [pytest.approx(row, abs=1e-6) for row in wanted]
        seen = supervision.DetectionDataset.from_coco(
            images_directory_path=str(folder / f"images/{split}"), annotations_path=str(path)
        )
        assert seen.classes == ["bus", "person", "truck"]
        assert sum(len(one) for one in seen.annotations.values()) == len(loaded.anns)


def test_supervision_reads_the_yolo_form(collection, tmp_path):
    import supervision

    ready(collection)
    folder = export_folder(version=build(dataset_of(collection)), target=tmp_path / "out")
    seen = supervision.DetectionDataset.from_yolo(
        images_directory_path=str(folder / "images/train"),
        annotations_directory_path=str(folder / "labels/train"),
        data_yaml_path=str(folder / "data.yaml"),
    )
    assert (len(seen), sum(len(one) for one in seen.annotations.values())) == (3, 9)


@pytest.mark.parametrize("format", ["yolo", "coco"])
def test_equal_versions_are_equal_bytes_and_the_folder_is_the_zip(collection, tmp_path, format):
    ready(collection)
    dataset = dataset_of(collection)
    first, second = build(dataset), build(dataset)
    data = zipped(first, format)
    assert zipped(first, format) == zipped(second, format) == data
    files = read_zip(data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
    folder = export_folder(version=first, target=tmp_path / "out", format=format)
    on_disk = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert on_disk == files
    assert hashlib.sha256(files["manifest.jsonl"]).hexdigest() == first.manifest_sha256


def test_copies_cannot_be_written_through_and_links_share_the_store(collection, tmp_path):
    ready(collection)
    version = build(dataset_of(collection))
    item = version.items.first()
    place = f"images/{item.split}/{item.file_name}"
    stored = storage.local_path(item.image.working.storage_name)
    before = stored.read_bytes()
    copy = export_folder(version=version, target=tmp_path / "copies") / place
    copy.write_bytes(b"rewritten")
    assert stored.read_bytes() == before
    target = settings.MIXCV_HOME / f"links-{os.getpid()}"
    link = export_folder(version=version, target=target, links=True) / place
    assert link.stat().st_ino == stored.stat().st_ino


def test_a_target_that_is_taken_is_left_alone(collection, tmp_path):
    ready(collection)
    dataset = dataset_of(collection)
    version = build(dataset)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("keep")
    with pytest.raises(TargetTaken, match="not this export"):
        export_folder(version=version, target=tmp_path / "mine")
    assert (tmp_path / "mine/notes.txt").read_text() == "keep"
    folder = export_folder(version=version, target=tmp_path / "out")
    stamp = (folder / "data.yaml").stat().st_mtime_ns
    export_folder(version=version, target=folder)
    assert (folder / "data.yaml").stat().st_mtime_ns == stamp
    archive = export_zip_file(version=version, target=tmp_path / "out.zip")
    assert archive.read_bytes() == zipped(version)
    with pytest.raises(TargetTaken):
        export_zip_file(version=version, target=archive)


def test_a_format_that_there_is_not_is_refused(collection):
    ready(collection)
    with pytest.raises(InvalidInput, match="coco"):
        entries_of(build(dataset_of(collection)), "voc")


def test_a_reader_who_goes_away_leaves_nothing_open(collection):
    ready(collection)
    stream = stream_zip(entries_of(build(dataset_of(collection)), "yolo"))
    assert next(stream)
    stream.close()


def test_the_command_exports_and_says_what_is_wrong(collection, tmp_path, capsys):
    with pytest.raises(CommandError, match="no dataset"):
        call_command("export_dataset", "street", str(tmp_path / "out"))
    dataset = dataset_of(collection)
    with pytest.raises(CommandError, match="--build"):
        call_command("export_dataset", "street", str(tmp_path / "out"))
    with pytest.raises(CommandError, match="hold no image"):
        call_command("export_dataset", "street", str(tmp_path / "out"), build=True)
    ready(collection)
    call_command("export_dataset", "ds_street", str(tmp_path / "out"), build=True)
    assert "5 images with 15 boxes" in capsys.readouterr().err
    call_command("export_dataset", "street", str(tmp_path / "out.zip"), format="coco", number=1)
    assert (tmp_path / "out.zip").read_bytes() == zipped(dataset.versions.get(), "coco")
    with pytest.raises(CommandError, match="no version 7"):
        call_command("export_dataset", "street", str(tmp_path / "more"), number=7)
    with pytest.raises(CommandError, match="namespace 'nobody'"):
        call_command("export_dataset", "street", str(tmp_path / "more"), namespace="nobody")


@pytest.mark.django_db(transaction=True)
def test_an_export_taken_while_reviewers_write_is_the_same_as_before():
    namespace = make.make_namespace()
    collection = make.make_collection(make.make_bucket(namespace, "cameras"), "street objects")
    train, _ = ready(collection, 6, 2)
    version = build(dataset_of(collection))
    before = {format: zipped(version, format) for format in ("yolo", "coco")}
    over, errors = threading.Event(), []
    detections = [one.pk for document in train for one in make.detections_of(document)]

    def write():
        try:
            n = 0
            while not over.is_set():
                n += 1
                key = detections[n % len(detections)]
                say(
                    namespace,
                    Verdict("corrected", key, class_name=f"new {n}", box=Box(50, 50, 10 + n % 9, 10)),
                )
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(5):
            for format, data in before.items():
                assert zipped(version, format) == data
    finally:
        over.set()
        thread.join()
    assert not errors


@pytest.mark.django_db(transaction=True)
def test_an_export_killed_in_the_middle_is_completed_by_the_next(tmp_path):
    """A real process is killed by SIGKILL while it writes; the same command again gives the whole export."""
    namespace = make.make_namespace()
    collection = make.make_collection(make.make_bucket(namespace, "cameras"), "street objects")
    ready(collection, 40, 10)
    version = build(dataset_of(collection))
    target = tmp_path / "out"
    script = (
        "import sys, time, django; django.setup()\n"
        "from review.datasets.export import folder\n"
        "place = folder._place\n"
        "folder._place = lambda *a: (time.sleep(0.05), place(*a))\n"
        "from django.core.management import call_command\n"
        "call_command('export_dataset', 'street', sys.argv[1])\n"
    )
    name = connection.settings_dict["NAME"]
    script = script.replace(
        "django.setup()\n",
        f"django.setup()\nfrom django.db import connection\nconnection.settings_dict['NAME'] = {name!r}\n",
        1,
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(target)])
    part = tmp_path / ".out.mixcv-part"
    until = time.monotonic() + 60
    while time.monotonic() < until and len(list(part.rglob("*.jpg"))) < 3:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not target.exists()
    assert part.exists()
    call_command("export_dataset", "street", str(target))
    assert not part.exists()
    files = {str(p.relative_to(target)): p.read_bytes() for p in target.rglob("*") if p.is_file()}
    assert files == read_zip(zipped(version))


def test_a_declared_image_without_detections_is_background(collection, tmp_path):
    ready(collection)
    (document,) = detected(collection, 1, detections=[])
    declare(document)
    version = build(dataset_of(collection, background_share=0.5))
    item = version.items.get(image=document.image)
    assert item.rule == "background"
    files = read_zip(zipped(version))
    assert files[f"labels/train/{Path(item.file_name).stem}.txt"] == b""


def test_files_are_named_after_the_object(collection):
    (added,) = add_objects(
        bucket=collection.buckets.get(),
        incoming=[Incoming(name="Küche/../ß images labels.tar.JPG", data=make.picture())],
        by=SYSTEM,
    )
    ready(collection)
    make.detect(collection, [added.object], [make.result()])
    declare(added.object.documents.get())
    put([added.object.documents.get()], "train")
    version = build(dataset_of(collection, background_share=0.5))
    item = version.items.get(image=added.object.image)
    assert item.file_name == f"images_labels_tar_{item.image_sha256[:16]}.jpg"
    assert INES.name == version.actor
