"""Imports into a bucket: what is written, once, and never over what a person said."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from extraction.classes.models import ObjectClass
from extraction.imports import domain
from extraction.imports.domain import groups, running
from extraction.imports.domain.starting import bounds
from extraction.imports.models import ImportedImage, TruthImport
from extraction.intake.models import Image, Object
from extraction.truth.models import GroundTruthBox, ImageReview
from mixcv.kernel import storage
from mixcv.kernel.errors import DomainError
from mixcv.kernel.geometry import Box
from mixcv.kernel.models import Event, Job
from mixcv.tenancy.actors import SYSTEM, Actor
from mixcv.tenancy.domain import cancel_job
from review.queues.models import QueueItem
from review.verdicts.domain import Verdict, record_verdicts, retract_verdicts
from tests import factories
from tests.extraction.imports import sources

pytestmark = pytest.mark.django_db
BUS = "0 0.5 0.5 0.25 0.25\n"
PERSON = "1 0.25 0.25 0.125 0.25\n"


@pytest.fixture
def bucket():
    return factories.make_bucket(factories.make_namespace(), "yard")


def bring(bucket, folder, **options) -> TruthImport:
    return domain.import_truth(bucket=bucket, source=folder, by=SYSTEM, **options)


def rows(bucket):
    found = GroundTruthBox.objects.filter(image__occurrences__bucket=bucket)
    return sorted(found.values_list("object_class__name", "cx", "cy", "w", "h"))


def completeness(key):
    return ImageReview.objects.get(image__occurrences__key=key).completeness


def said(row):
    return [(one.file, one.line, one.message) for one in row.faults.all()]


def test_it_brings_pictures_boxes_classes_and_completeness(bucket, tmp_path):
    sources.yolo(tmp_path, {"a": BUS + PERSON, "b": "", "c": None})
    row = bring(bucket, tmp_path)
    assert row.job.state == Job.State.COMPLETED
    assert (row.job.done, row.job.total) == (3, 3)
    assert rows(bucket) == [("bus", 160, 120, 80, 60), ("person", 80, 60, 40, 60)]
    assert set(GroundTruthBox.objects.values_list("origin", "state")) == {("import", "active")}
    assert completeness("images/a.jpg") == "complete"
    assert completeness("images/b.jpg") == "verified_empty"
    assert completeness("images/c.jpg") == "unseen"
    assert row.counts == {
        **dict.fromkeys(row.counts, 0),
        "pictures": 3,
        "added": 3,
        "boxes": 2,
        "boxes_added": 2,
        "train": 3,
        "complete": 1,
        "empty": 1,
        "unlabelled": 1,
        "kept": 1,
    }
    assert said(row) == [("images/c.jpg", 0, "It has no label file and stays unseen.")]
    assert row.faults.get().image == Image.objects.get(occurrences__key="images/c.jpg")
    assert set(ObjectClass.objects.values_list("name", "state")) == {("bus", "active"), ("person", "active")}


def test_it_tells_of_what_it_did(bucket, tmp_path):
    row = bring(bucket, sources.yolo(tmp_path, {"a": BUS, "b": None}))
    mine = Event.objects.filter(subject=row.public_id).order_by("subject_seq").values_list("type", flat=True)
    assert list(mine) == ["truth_import.created", "truth_import.completed"]
    told = Event.objects.get(type="object.truth_imported")
    assert told.payload["boxes_added"] == 1
    assert told.subject == Object.objects.get(key="images/a.jpg").public_id


def test_a_second_time_it_doubles_nothing(bucket, tmp_path):
    sources.yolo(tmp_path, {"a": BUS + PERSON, "b": ""})
    bring(bucket, tmp_path)
    sources.write(tmp_path, "labels/a.txt", "0 0.501 0.5 0.25 0.25\n" + PERSON)
    row = bring(bucket, tmp_path)
    assert len(rows(bucket)) == 2
    assert Object.objects.count() == 2
    assert (row.counts["present"], row.counts["boxes_there"], row.counts["boxes_added"]) == (2, 2, 0)


def test_a_box_that_moved_by_more_than_half_a_pixel_is_another(bucket, tmp_path):
    sources.yolo(tmp_path, {"a": BUS})
    bring(bucket, tmp_path)
    sources.write(tmp_path, "labels/a.txt", "0 0.502 0.5 0.25 0.25\n")
    assert bring(bucket, tmp_path).counts["boxes_added"] == 1


def test_an_image_that_the_bucket_has_is_not_added_again(bucket, tmp_path):
    known = factories.make_objects(bucket)[0]
    sources.yolo(tmp_path, {})
    sources.picture(tmp_path, "images/other name.jpg", seed=int(known.key[6:10]))
    sources.write(tmp_path, "labels/other name.txt", BUS)
    assert bring(bucket, tmp_path).counts["present"] == 1
    assert Object.objects.get() == known
    assert known.image.truth.count() == 1


# ---- the split


YAML = "train: images/train\nval: images/val\ntest: images/test\nnames: [bus, person]\n"


def test_the_test_part_is_the_holdout_and_else_the_validation_part(bucket, tmp_path):
    stems = {"train/a": BUS, "val/b": BUS, "test/c": BUS}
    bring(bucket, sources.yolo(tmp_path / "one", stems, yaml=YAML))
    bring(bucket, sources.yolo(tmp_path / "two", {"train/d": BUS, "val/e": BUS}, yaml=YAML))
    split = {row.key[-5]: row.image.split for row in Object.objects.select_related("image")}
    assert split == {"a": "train", "b": "train", "c": "holdout", "d": "train", "e": "holdout"}


def test_the_split_is_kept_from_first_sight_on(bucket, tmp_path):
    sources.yolo(tmp_path, {"train/a": BUS, "test/b": BUS}, yaml=YAML)
    bring(bucket, tmp_path)
    sources.write(tmp_path, "data.yaml", "train: images/test\ntest: images/train\nnames: [bus, person]\n")
    row = bring(bucket, tmp_path)
    assert Object.objects.get(key="images/train/a.jpg").image.split == "train"
    assert any("it is in holdout since it was first seen" in message for _, _, message in said(row))


def test_a_picture_of_two_parts_is_never_trained_on(bucket, tmp_path):
    """The same scene in train and validation: the same content under two names."""
    sources.yolo(tmp_path, {}, yaml=YAML)
    for part in ("train", "test"):
        sources.picture(tmp_path, f"images/{part}/{part}.jpg", seed=7)
        sources.write(tmp_path, f"labels/{part}/{part}.txt", BUS)
    row = bring(bucket, tmp_path)
    assert Image.objects.get().split == "holdout"
    assert GroundTruthBox.objects.count() == 1
    assert "the same picture as images/test/test.jpg" in said(row)[-1][2]


# ---- faults that cost only themselves


def test_the_same_picture_twice_with_different_boxes_keeps_the_first_ones(bucket, tmp_path):
    sources.yolo(tmp_path, {})
    for name, lines in (("a", BUS), ("b", PERSON)):
        sources.picture(tmp_path, f"images/{name}.jpg", seed=7)
        sources.write(tmp_path, f"labels/{name}.txt", lines)
    row = bring(bucket, tmp_path)
    assert [one[0] for one in rows(bucket)] == ["bus"]
    assert row.counts["repeated"] == 1
    fault = row.faults.get()
    assert (fault.file, fault.cost) == ("images/b.jpg", "left_out")


def test_a_broken_picture_costs_only_itself(bucket, tmp_path):
    sources.yolo(tmp_path, {"a": BUS})
    sources.picture(tmp_path, "images/cut.jpg", data=factories.picture()[:-900])
    sources.picture(tmp_path, "images/tail.jpg", data=factories.picture() + b"bytes after the end")
    sources.write(tmp_path, "images/zero.jpg", b"")
    for name in ("cut", "tail", "zero"):
        sources.write(tmp_path, f"labels/{name}.txt", BUS)
    row = bring(bucket, tmp_path)
    assert row.job.state == Job.State.COMPLETED_WITH_ERRORS
    assert (row.counts["added"], row.counts["refused"]) == (2, 2)
    assert {name: message[:40] for name, _, message in said(row)} == {
        "images/cut.jpg": "The JPEG image is damaged or cut off: im",
        "images/zero.jpg": "The file is empty (0 bytes). Send it aga",
    }


def test_a_line_that_hides_an_object_leaves_the_image_partial(bucket, tmp_path):
    """An object that is there but not told would be taught as background."""
    sources.yolo(tmp_path, {"a": BUS + "9 0.1 0.1 0.1 0.1\n", "b": BUS + "0 0.5 0.5 0 0\n"})
    row = bring(bucket, tmp_path)
    assert completeness("images/a.jpg") == "partial"
    assert completeness("images/b.jpg") == "complete"
    assert ("labels/a.txt", 2, "There is no class 9: the names go to 1.") in said(row)
    assert (row.counts["partial"], row.counts["complete"], row.counts["left_out"]) == (1, 1, 2)


def test_nothing_to_import_is_said(bucket, tmp_path):
    with pytest.raises(DomainError, match="There are no files"):
        bring(bucket, tmp_path)
    sources.write(tmp_path, "a.txt", "words")
    with pytest.raises(DomainError, match="No ground truth was found"):
        bring(bucket, tmp_path)
    assert set(Job.objects.values_list("state", flat=True)) == {"FAILED"}


# ---- people and detections


@pytest.fixture
def detected(bucket):
    """An image with a bus at the middle and a truck elsewhere, both detected and waiting in the queue."""
    collection = factories.make_collection(bucket)
    document = factories.make_detected(
        collection,
        detections=[
            factories.found("bus", 0.4, (162, 121, 80, 60)),
            factories.found("truck", 0.3, (40, 40, 30, 30)),
        ],
    )[0]
    return document


def source_of(document, tmp_path, lines):
    sources.yolo(tmp_path, {})
    data = document.image.original
    sources.write(tmp_path, "images/a.jpg", storage.read(data.storage_name))
    sources.write(tmp_path, "labels/a.txt", lines)
    return tmp_path


def test_a_detection_of_a_known_object_is_decided(bucket, detected, tmp_path):
    row = bring(bucket, source_of(detected, tmp_path, BUS))
    bus, truck = factories.detections_of(detected)
    assert row.counts["detections_matched"] == 1
    assert (bus.decided_label, bus.decided_class.name, truck.decided_label) == ("confirmed", "bus", "")
    assert GroundTruthBox.objects.get().detection == bus
    assert set(QueueItem.objects.values_list("detection_id", "state")) == {
        (bus.pk, "done"),
        (truck.pk, "waiting"),
    }
    assert completeness(detected.object.key) == "complete"


def test_detections_that_come_later_are_matched_when_they_are_written(bucket, tmp_path):
    bring(bucket, sources.yolo(tmp_path, {"a": BUS}))
    collection = factories.make_collection(bucket)
    found = [
        factories.found("bus", 0.4, (162, 121, 80, 60)),
        factories.found("bus", 0.3, (162, 119, 76, 60)),
        factories.found("truck", 0.2, (160, 120, 80, 60)),
    ]
    factories.detect(collection, list(Object.objects.all()), [factories.result(found)])
    labels = [row.decided_label for row in factories.detections_of(Object.objects.get().documents.get())]
    assert labels == ["confirmed", "", ""]
    assert QueueItem.objects.filter(state="waiting").count() == 2
    assert GroundTruthBox.objects.count() == 1


def test_a_person_s_box_stands(bucket, detected, tmp_path):
    bus, truck = factories.detections_of(detected)
    record_verdicts(
        namespace=bucket.namespace,
        verdicts=[
            Verdict("corrected", bus.pk, class_name="person"),
            Verdict("corrected", truck.pk, class_name="truck", box=Box(41, 40, 30, 30)),
        ],
        by=Actor("ines"),
    )
    before = rows(bucket)
    truck_line = f"2 {42 / 320} {40 / 240} {30 / 320} {30 / 240}"
    source = source_of(detected, tmp_path, BUS + truck_line)
    sources.write(tmp_path, "data.yaml", "names: [bus, person, truck]")
    row = bring(bucket, source)
    assert rows(bucket) == before
    assert row.counts["boxes_of_people"] == 2
    assert [(line, message[:42]) for _, line, message in said(row)] == [
        (1, "A person decided that this is person; that"),
        (2, "A person decided that this is truck; that "),
    ]
    assert list(row.faults.values_list("cost", flat=True)) == ["left_out", "kept"]


def test_what_a_person_takes_back_leaves_what_was_imported(bucket, detected, tmp_path):
    source = source_of(detected, tmp_path, BUS)
    bring(bucket, source)
    bus = factories.detections_of(detected)[0]
    told = rows(bucket)
    for verdict in (
        Verdict("corrected", bus.pk, class_name="truck", box=Box(100, 100, 20, 20)),
        Verdict("false_positive", bus.pk),
    ):
        (made,) = record_verdicts(namespace=bucket.namespace, verdicts=[verdict], by=Actor("ines"))
        assert made.error is None
        assert bring(bucket, source).counts["boxes_added"] == 0
        retract_verdicts(
            namespace=bucket.namespace, annotation_ids=[made.annotation.public_id], by=Actor("ines")
        )
        assert rows(bucket) == told
        assert GroundTruthBox.objects.get().state == "active"


# ---- killed, stopped, many


def test_a_worker_that_died_between_groups_is_followed_by_another(bucket, tmp_path, monkeypatch):
    monkeypatch.setattr(groups, "_FILES", 2)
    sources.yolo(tmp_path, {f"p{n}": BUS for n in range(5)})
    sources.picture(tmp_path, "images/bare.jpg")
    row = domain.start_import(bucket=bucket, name="folder", by=SYSTEM)

    class Killed(BaseException):
        pass

    def die(done, total):
        if done == 4:
            raise Killed

    with pytest.raises(Killed):
        running.run_import(key=row.pk, bounds=bounds(), source=tmp_path, show=die)
    assert GroundTruthBox.objects.count() == 3  # bare, p0 | p1, p2
    running.run_import(key=row.pk, bounds=bounds(), source=tmp_path)  # its lease is still good
    assert GroundTruthBox.objects.count() == 3
    Job.objects.update(lease_until=timezone.now())
    running.run_import(key=row.pk, bounds=bounds(), source=tmp_path)
    row.refresh_from_db()
    assert row.job.__class__.objects.get().state == "COMPLETED"
    assert (row.counts["pictures"], row.counts["added"], row.counts["boxes_added"]) == (6, 6, 5)
    assert row.faults.count() == 1
    assert ImportedImage.objects.count() == 6


def test_a_worker_that_lost_its_lease_writes_nothing_more(bucket, tmp_path, monkeypatch):
    monkeypatch.setattr(groups, "_FILES", 1)
    sources.yolo(tmp_path, {f"p{n}": BUS for n in range(3)})
    row = domain.start_import(bucket=bucket, name="folder", by=SYSTEM)
    real = groups.Group.write

    def write(self, counts):
        real(self, counts)
        if counts["boxes"] == 2:
            Job.objects.update(lease_owner="another")

    monkeypatch.setattr(groups.Group, "write", write)
    running.run_import(key=row.pk, bounds=bounds(), source=tmp_path)
    assert GroundTruthBox.objects.count() == 1
    assert Job.objects.get().state == "RUNNING"


def test_it_stops_when_asked_and_keeps_what_it_did(bucket, tmp_path, monkeypatch):
    monkeypatch.setattr(groups, "_FILES", 1)
    sources.yolo(tmp_path, {f"p{n}": BUS for n in range(3)})

    def stop(done, total):
        if done == 1:
            cancel_job(job=Job.objects.get(), by=SYSTEM)

    row = bring(bucket, tmp_path, show=stop)
    assert row.job.state == "CANCELED"
    assert GroundTruthBox.objects.count() == 1
    assert Event.objects.filter(type="truth_import.canceled").exists()


def test_a_command_that_was_killed_is_said_to_have_failed(bucket):
    row = domain.start_import(bucket=bucket, name="folder", by=SYSTEM)
    Job.objects.update(state="RUNNING", lease_until=timezone.now())
    assert domain.lost_imports() == []
    row.job.refresh_from_db()
    assert row.job.state == "FAILED"
    assert "Run it again: nothing is doubled." in row.job.error


def test_a_group_asks_as_often_for_any_number_of_pictures_and_boxes(bucket, tmp_path):
    counts = []
    for number in (1, 8):
        lines = "".join(f"0 0.{n}5 0.5 0.05 0.25\n" for n in range(1, number + 1))
        folder = sources.yolo(tmp_path / str(number), {f"p{n}": lines for n in range(number)})
        bring(bucket, folder)
        GroundTruthBox.objects.all().delete()
        with CaptureQueriesContext(connection) as queries:
            bring(bucket, folder)
        assert GroundTruthBox.objects.count() == number * number
        counts.append(len(queries))
    # Eight events and more go in by COPY, after their keys are fetched.
    assert abs(counts[0] - counts[1]) <= 1


def test_bytes_of_a_zip_come_in_by_a_worker(bucket, tmp_path):
    folder = sources.yolo(tmp_path / "in", {"a": BUS, "b": ""})
    row = bring(bucket, sources.zipped(folder, tmp_path / "truth.zip"))
    assert row.counts["boxes_added"] == 1
    assert not list((Path(settings.MIXCV_CACHE) / "imports").iterdir())
